"""What a run changed where, shown from what ships."""

from support.pages import charts, open_page, sound, words

LORA, PROMPT, ATOMS, PREFIX = "5a7da5def8b7", "7592cce70ccd", "4f677812ddf6", "2556dc271826"


def finding(page):
    """The first line of the page."""
    return page.header[0].value.replace("\\", "")


def test_the_map_of_lora_opens_with_its_largest_change_and_its_singular_values():
    page = open_page("weights", run=LORA)
    assert "is largest in decoder" in finding(page)
    assert "of 4 seeds" in words(page)
    site_map, values, intruders = charts(page)
    assert len(site_map["data"][0]["y"]) == 4  # query and value of both kinds of attention
    assert [line["name"] for line in values["data"]][1:] == [f"seed {n}" for n in range(4)]
    assert len(intruders["data"]) == 4


def test_a_site_in_the_address_is_the_one_that_is_shown():
    page = open_page(
        "weights", run=LORA, site="cross.value:decoder.block.0.layer.1.EncDecAttention.v"
    )
    assert "decoder 1, cross.value" in charts(page)[1]["layout"]["title"]["text"]


def test_another_measure_has_another_finding():
    page = open_page("weights", run=LORA)
    sound(page.selectbox(key="weights.measure").set_value("intruders").run())
    assert "intruder directions" in finding(page)
    assert "0.5" in words(page)  # the threshold is there


def test_seeds_share_more_of_what_they_write_than_of_what_they_read():
    page = open_page("weights", run=LORA, view="Overlap")
    read = finding(page)
    sound(page.segmented_control(key="weights.side").set_value("outputs").run())
    assert "read overlaps" in read
    assert "write overlaps" in finding(page)
    assert "chance" in words(page)


def test_a_prefix_and_a_prompt_say_that_no_weight_changes():
    prefix = open_page("weights", run=PREFIX)
    assert "leaves every weight as it is" in words(prefix)
    assert "as long as the base's keys" in finding(prefix)
    prompt = open_page("weights", run=PROMPT)
    assert "leave every weight as it is" in words(prompt)
    assert len(charts(prompt)) == 1  # one place is no map


def test_atoms_have_no_matrix_and_say_why():
    page = open_page("weights", run=ATOMS)
    assert "changes outputs most in" in finding(page)
    assert "no fixed matrix" in words(page)


def test_what_trains_is_counted():
    page = open_page("weights", run=LORA, view="What trains")
    assert "trains 36,864 numbers a seed" in finding(page)
    assert charts(page)[0]["data"][0]["type"] == "icicle"
