import pandas as pd
from support.pages_as_xml import Page
from support.runs import make_run, make_runs

from peftcore.reports import sections
from peftcore.reports.groups import ReportOptions, group_runs


def written(group):
    return "\n".join(sections.group_section(group))


def points(difference):
    """A difference of accuracy as it is written: in points, a zero without a sign."""
    shown = round(100 * difference, 1)
    return f"{shown:+.1f}".replace("-", "−") if shown else "0.0"


def cells(markup):
    """The texts of a table's cells, row by row."""
    rows = markup.split("<tbody>")[1].split("</tbody>")[0].split("<tr")[1:]
    return [[Page(cell + "</td>" * 0).text for cell in _cells(row)] for row in rows]


def _cells(row):
    import re

    return re.findall(r"<(?:td|th)[^>]*>.*?</(?:td|th)>", row)


def test_the_table_of_runs_has_mean_limits_seeds_and_sizes(group):
    shown = cells(sections.runs_table(group))
    for row, line in zip(group.estimates("accuracy").itertuples(), shown, strict=True):
        assert line == [
            group.name(row.run),
            f"{row.mean:.3f}",
            f"{row.low:.3f} to {row.high:.3f}",
            f"{row.smallest:.3f}",
            f"{row.largest:.3f}",
            "4",
            "24",
            f"{row.trainable:,.0f}",
            "62 s",
        ]


def test_the_matrix_says_each_verdict_from_both_sides(group):
    shown = cells(sections.verdict_matrix(group))
    order = list(group.estimates("accuracy")["run"])
    turned = {"ahead": "▼ behind", "equal": "= equal", "cannot tell": "? cannot tell"}
    for row in group.verdicts("accuracy").itertuples():
        i, j = order.index(row.first), order.index(row.second)
        assert row.verdict in shown[i][j + 1]
        assert f"{points(row.difference)}" in shown[i][j + 1]
        assert turned[row.verdict] in shown[j][i + 1]
        if row.difference:
            assert f"{points(-row.difference)}" in shown[j][i + 1]
    assert all(shown[n][n + 1] == "–" for n in range(len(order)))


def test_a_section_has_every_part_once(group):
    page = Page(written(group))
    for words in (
        "Accuracy: every seed, mean and 95 % interval",
        "Verdict on every pair",
        "Accuracy against trained numbers",
        "Validation loss by step",
        "Training loss by step",
        "What changes from",
        "Answers side by side, seed 0",
        "Every seed's value",
    ):
        assert words in page.text
    assert len([f for f in page.find("svg") if f.get("class") == "figure"]) == 5


def test_flips_of_the_best_two_are_counted_and_items_shown(group):
    order = list(group.estimates("accuracy")["run"])
    best, second = group.answers[order[0]], group.answers[order[1]]
    both = second.merge(best, on=["seed", "example"], suffixes=("_a", "_b"))
    lost = int((both["correct_a"].astype(bool) & ~both["correct_b"].astype(bool)).sum())
    text = Page(written(group)).text
    assert f"What changes from {group.name(order[1])} to {group.name(order[0])}" in text
    assert f"Right → wrong{lost}{lost / 96:.1%}" in text
    assert "96 answers: 4 seeds, 24 examples" in text


def test_without_texts_no_example_is_quoted(runs):
    group = group_runs(runs, ReportOptions(with_texts=False)).groups[0]
    made = written(group)
    assert not [text for text in set(group.answers[runs[0].id]["source"]) if text in made]
    assert "Right → wrong" in made
    assert str(group.answers[runs[0].id]["example"].iloc[0]).split("/")[0] in made


def test_free_text_has_no_flips_and_says_so():
    runs = make_runs("miniworld_venues", ("lora", "spt"))
    group = group_runs(runs, ReportOptions()).groups[0]
    text = Page(written(group)).text
    assert "not right or wrong" in text
    assert "Right → wrong" not in text


def test_one_run_alone_has_no_verdict_and_no_flips():
    group = group_runs([make_run("lora")], ReportOptions()).groups[0]
    text = Page(written(group)).text
    assert "Verdict on every pair" not in text
    assert "What changes from" not in text
    assert sections.verdict_matrix(group) == ""


def test_a_run_without_answers_is_reported_by_its_seeds(runs):
    for run in runs:
        (run.folder / "answers.parquet").unlink()
    group = group_runs(runs, ReportOptions()).groups[0]
    text = Page(written(group)).text
    assert "other seeds on these very examples, since this metric has no values" in text
    assert "Answers side by side" not in text


def test_examples_that_tell_runs_apart_come_first():
    rows = {
        "same": [("x", True), ("x", True)],
        "texts": [("x", True), ("y", True)],
        "split": [("x", True), ("y", False)],
    }
    order = {
        name: sections._sameness(pd.DataFrame(pairs, columns=["text", "correct"]))
        for name, pairs in rows.items()
    }
    assert sorted(order, key=order.get) == ["split", "texts", "same"]


def test_many_runs_have_a_matrix_of_signs_and_the_pairs_in_full():
    runs = [make_run("lora", settings={"rank": rank}) for rank in range(1, 10)]
    group = group_runs(runs, ReportOptions()).groups[0]
    made = sections.verdict_matrix(group)
    matrix, _, pairs = made.partition("<details")
    assert "95 % interval" not in matrix
    heads = matrix.split("</thead>")[0]
    assert [f">{n}<" in heads for n in range(1, 10)] == [True] * 9
    assert len(cells(pairs)) == 36
    frame = group.verdicts("accuracy")
    for row, line in zip(frame.itertuples(), cells(pairs), strict=True):
        assert line[:2] == [group.name(row.first), group.name(row.second)]
        assert line[2].endswith(row.verdict)
        assert line[4] == f"{points(row.low)} to {points(row.high)}"
