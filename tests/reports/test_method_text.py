"""The paragraph for a paper says what the specs say, and cites what the methods cite."""

from support.runs import make_run, make_runs

from peftcore.adapters.base import METHODS
from peftcore.reports import method_text
from peftcore.reports.groups import ReportOptions, group_runs


def written(runs, **options):
    return method_text.paragraphs(group_runs(runs, ReportOptions(**options)))


def test_every_number_of_the_protocol_is_in_it(runs):
    text = " ".join(written(runs))
    spec = runs[0].spec
    for words in (
        f"{spec.population.seeds} seeds",
        f"{spec.training.shots} training and {spec.training.dev} validation examples",
        "the same 24 examples of the test split with greedy search",
        "adamw for 200 steps of 8 examples",
        "a linear schedule after a warm-up of 6% of the steps",
        "Satterthwaite 1946",
        "Schuirmann 1987",
        "margin of 2 points",
        "Holm's correction (1979)",
    ):
        assert words in text


def test_each_method_is_described_in_its_own_words_with_its_source(runs):
    text = " ".join(written(runs))
    for run in runs:
        kind = METHODS[run.spec.method]
        assert f"{kind.title} [{kind.source}]: {kind.summary[0].lower()}{kind.summary[1:]}" in text


def test_references_are_the_methods_and_those_of_a_simplex_where_there_is_one():
    grouped = group_runs(make_runs(methods=("lora", "linear_probe")), ReportOptions())
    assert method_text.references(grouped) == ["2106.09685"]
    assert "[baseline]" not in " ".join(method_text.paragraphs(grouped))
    simplex = make_run("lora", population={"vertices": 3})
    grouped = group_runs([simplex], ReportOptions())
    assert method_text.references(grouped) == ["2106.09685", "2102.10472", "2310.15793"]
    assert "simplex of 3 adapters" in " ".join(method_text.paragraphs(grouped))


def test_ways_of_training_are_told_apart():
    runs = [make_run("lora"), make_run("spt", training={"steps": 100, "patience": 3})]
    parts = [part for part in written(runs) if part.startswith("Trained with")]
    assert len(parts) == 2
    assert "stopped after 3 evaluations" in " ".join(parts)


def test_one_run_is_judged_against_nobody():
    assert "Differences" not in " ".join(written([make_run("lora")]))
    text = " ".join(written(make_runs(), population="these examples"))
    assert "Student's t intervals over the seeds" in text
    assert "Satterthwaite" not in text


def test_bibtex_has_an_entry_for_each_number():
    made = method_text.bibtex(["2106.09685", "2104.08691"])
    assert made.count("@misc{arxiv") == 2
    assert "eprint = {2106.09685}" in made
    assert made.count("{") == made.count("}")


def test_what_chose_the_step_that_was_kept_is_said_as_it_was():
    by_loss = " ".join(written([make_run("lora", training={"select": "loss"})]))
    by_labels = " ".join(written([make_run("lora", training={"select": "labels"})]))
    assert "the step with the lowest validation loss was kept" in by_loss
    assert "most validation labels right, the loss breaking ties was kept" in by_labels
