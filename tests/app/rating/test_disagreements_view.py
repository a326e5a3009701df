"""Items that raters differ on, and their settling."""

from support import ratings as rated
from support.pages import charts, open_page, show_view, sound

from peftcore import rating


def test_pairs_are_ranked_and_their_items_settled(book):
    project = rated.project(book, [rated.pair(n) for n in range(6)], mode="pairwise")
    for name, side in (("Ann", "left"), ("Bo", "right")):
        rated.rate_all(book, rated.rater(book, project, name), side)
    page = open_page("ratings", project=project.id)
    assert set(charts(page)[0]["layout"]["yaxis"]["ticktext"]) == set(rated.METHODS)
    show_view(page, "ratings", "Disagreements")
    item = rating.item_table(book, rated.ME, project.id)["item"]
    forms = [each for each in page.text_input if each.key.startswith("ratings.reason.")]
    assert forms
    chosen = forms[0].key.rpartition(".")[2]
    assert chosen in set(item)
    page.segmented_control(key=f"ratings.verdict.{chosen}").set_value("left")
    forms[0].set_value("the first names the reason")
    sound(next(each for each in page.button if each.label == "Settle").click().run())
    settled = rating.adjudication_table(book, rated.ME, project.id)
    assert settled["verdict"].tolist() == ["left"]
    assert len(rating.verdict_table(book, rated.ME, project.id)) == 12
    for name in ("Verdicts", "Agreement", "Raters", "Metrics", "Export"):
        show_view(page, "ratings", name)
