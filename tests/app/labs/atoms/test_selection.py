"""Which run and atom the Atoms page is about."""

from streamlit.testing.v1 import AppTest
from support.atoms_page import atoms_run, mapped
from support.pages import open_page, sound, words
from support.runs import make_run

from app.labs.atoms import selection
from peftcore import paths


def test_without_runs_it_says_what_to_do_next():
    make_run("lora")
    assert "No sparse atoms have been trained yet" in words(open_page("atoms"))


def test_an_atom_that_was_clicked_is_taken_to_the_other_views():
    run = atoms_run()
    mapped(run)
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.session_state[selection.CHOSEN_KEY] = (run.id, 5)
    page.switch_page(str(paths.ROOT / "pages" / "atoms.py")).run()
    assert "Chosen: D2.q[1] at Decoder 2, self query" in words(sound(page))
    page.segmented_control(key="atoms.view").set_value("One atom").run()
    assert page.selectbox(key="atoms.atom").value == 5


def test_an_address_of_another_run_gets_a_sentence():
    atoms_run()
    lora = make_run("lora")
    assert "finished runs of sparse atoms have" in words(open_page("atoms", run=lora.id))
