"""The page of benchmarks says what the files say, and nothing else."""

import json
from xml.etree import ElementTree

import pytest

from peftcore import paths
from peftcore.benchmarks import bench_report as report
from peftcore.errors import BadInput

GROWTH = {
    "command": "bench growth --rounds 2",
    "machine": {"cores": 2},
    "base": "tiny-t5",
    "rounds": 2,
    "units": {"seeds": "a training step"},
    "exponents": {"seeds": {"seconds": 0.5, "peak_memory_mib": 0.1}},
    "rows": [
        {"axis": "seeds", "value": 1, "seconds": 0.1, "peak_memory_mib": 400.0},
        {"axis": "seeds", "value": 4, "seconds": 0.2, "peak_memory_mib": 500.0},
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "growth.json").write_text(json.dumps(GROWTH))
    return tmp_path


def test_a_benchmark_becomes_its_command_machine_and_table(folder):
    page = report.benchmarks_markdown(folder)
    assert "`python -m peftcore bench growth --rounds 2 --json`" in page
    assert "base tiny-t5; rounds 2; cores 2." in page
    assert "| seeds | 4 | 0.200 | 500 |" in page
    assert "time grows as its power 0.50" in page
    assert "Many seeds" not in page  # nobody measured it


def test_growth_is_drawn_with_every_number(folder):
    drawn = ElementTree.fromstring(report.growth_plots(folder)["seeds"])
    words = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words == ["0.1 s", "1", "0.2 s", "4", "seeds"]


def test_a_folder_without_benchmarks_is_refused(tmp_path):
    with pytest.raises(BadInput, match="no benchmark"):
        report.benchmarks_markdown(tmp_path)


def test_the_page_in_the_tree_is_what_the_files_in_the_tree_say():
    page = (paths.ROOT / "BENCHMARKS.md").read_text("utf-8")
    assert page == report.benchmarks_markdown(report.FOLDER)
    for axis, picture in report.growth_plots(report.FOLDER).items():
        assert (report.FOLDER / f"{axis}.svg").read_text("utf-8") == picture
