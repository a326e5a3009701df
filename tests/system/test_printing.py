"""What commands print: tables for people, bars for terminals."""

import pandas as pd

from peftcore.jobs.background import JobStatus
from peftcore.system import printing
from peftcore.training.trainer import TrainingProgress


def test_tables_align_numbers_right_and_show_nothing_as_a_dash():
    lines = list(printing.format_table(["run", "mean"], [("a", 0.5), ("long", None)]))
    assert lines == ["run   mean", "a      0.5", "long     –"]


def test_there_is_no_progress_bar_outside_a_terminal(capsys):
    progress = TrainingProgress("training", 1, 2, [0.5], None, 0.1, 1.0, 1.0, [])
    with printing.progress_bar("lora") as report:
        report(progress)
    with printing.job_bar("atoms") as report:
        report(JobStatus(state="running", done=1, of=2, message="loss"))
    assert capsys.readouterr() == ("", "")


def test_records_are_a_table_of_some_columns_or_json(capsys):
    rows = [{"run": "a", "mean": 0.5, "n": 4}, {"run": "b", "mean": None, "n": 4}]
    frame = pd.DataFrame(rows)
    assert list(printing.format_records(rows, ["run", "n"])) == ["run  n", "a    4", "b    4"]
    assert list(printing.format_records(rows)) == list(printing.format_records(frame))
    assert list(printing.format_records(frame[:0])) == ["run  mean  n"]
    printing.print_records(rows, True)
    printing.print_records(rows, True, value={"rows": 2})
    assert capsys.readouterr().out.splitlines()[1] == '{"rows": 2}'
