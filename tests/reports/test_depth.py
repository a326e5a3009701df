"""What a report says beyond scores."""

from support.runs import make_runs

from peftcore.reports import depth, write
from peftcore.reports.groups import ReportOptions, group_runs
from peftcore.reports.tuning import TriedRates
from peftcore.runs.forgetting import LOSS, Forgetting
from peftcore.runs.store import RunStore


def test_forgetting_stands_before_and_after_with_its_interval(home):
    store = RunStore()
    run = next(r for r in store.all() if r.forgetting() is not None)
    [group] = group_runs([run], ReportOptions()).groups
    text = "".join(depth.forgetting_section(group))
    found = run.forgetting()
    assert isinstance(found, Forgetting)
    assert f"{sum(found.base_loss) / len(found.base_loss):.3f}" in text
    assert LOSS in found.seed_values()
    assert "held-out texts" in text


def test_runs_without_forgetting_have_no_section(group):
    assert list(depth.forgetting_section(group)) == []


def test_slices_and_power_are_about_the_best_two(group):
    best, second = group.estimates("accuracy")["run"].iloc[:2]
    text = "".join(depth.slices_section(group))
    assert '<td class="v">' in text  # in print, its words stay whole
    assert group.name(best) in text
    assert group.name(second) in text
    assert "corrected for all" in text
    assert "With 4 seeds and 24 items" in "".join(depth.power_section(group))


def test_a_single_run_has_neither(home):
    [group] = group_runs(make_runs(methods=("lora",)), ReportOptions()).groups
    assert [*depth.slices_section(group), *depth.power_section(group)] == []


def test_tries_are_tabulated_where_they_are_known(runs):
    tried = [TriedRates(run.id, n + 1, 200, 4, (0.5,) * (n + 1)) for n, run in enumerate(runs)]
    text = write.report_html(write.build_report(runs, tried=tried))
    assert "Tuning budget" in text
    assert "Methods were tried at 1 to 4 learning rates" in text
    assert "Best of 4" in text
    assert "Tuning budget" not in write.report_html(write.build_report(runs))
