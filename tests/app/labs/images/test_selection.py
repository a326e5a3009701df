"""Which task the Images page is about."""

from support.images_page import opened, words

from peftcore.labs.images import results_store


def test_an_address_names_the_task_by_its_id():
    page = opened("Editing", task="pictures_style")
    style = next(
        r for r in results_store.finished_runs("pictures_style") if r.spec.method == "atoms"
    )
    assert page.selectbox[0].value == style.id
    assert "Facts as asked" in page.segmented_control(key=f"images.eye.{style.id}").options
    page.segmented_control(key="images.view").set_value("Methods").run()
    assert page.segmented_control(key="images.task").value == "pictures_style"


def test_an_address_of_old_names_its_task_still():
    page = opened("Editing", weighed="pictures_concept")
    assert page.segmented_control(key="images.task").value == "pictures_concept"
    assert page.query_params["images.task"] == "pictures_concept"
    assert "images.weighed" not in page.query_params


def test_a_view_of_atoms_says_which_task_has_none():
    page = opened("Editing", task="pictures_digit_alone")
    told = words(page).replace("\\", "")
    assert "No atoms of “Unseen digit, nothing rehearsed” are at hand" in told
    assert page.segmented_control(key="images.task").value == "pictures_digit"
