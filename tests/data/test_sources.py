"""Rows come from the data directory, else the hub, else an error that says what to do."""

import json
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as some

from peftcore import paths
from peftcore.data import sources
from peftcore.errors import BadInput

COMMIT = "0123456789" * 4
HUB = sources.HubSource("owner/set", "small", COMMIT)
values = some.none() | some.booleans() | some.integers() | some.text()


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def write(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@given(some.lists(some.dictionaries(some.text(), values), max_size=5), some.sampled_from("\n\r"))
def test_rows_of_json_lines_round_trip(rows, ending):
    end = "\r\n" if ending == "\r" else "\n"
    content = end.join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert sources.parse_json_lines(content.encode()) == (rows, [])


@given(some.binary(max_size=200))
def test_any_bytes_are_rows_or_bad_lines(content):
    found, bad = sources.parse_json_lines(content)
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert len(found) + len(bad) == sum(bool(line.strip()) for line in lines)


def test_rows_are_read_and_the_callers_changes_stay_with_the_caller(data):
    write(data / "set", "train.jsonl", '{"text": "früh\u2028spät"}\n\n{"text": "b"}\n')
    first = sources.load_rows("set", "train")
    assert [row["text"] for row in first] == ["früh\u2028spät", "b"]
    first[0]["text"] = "changed"
    assert sources.load_rows("set", "train")[0]["text"] == "früh\u2028spät"


def test_a_changed_file_is_read_again(data):
    write(data / "set", "train.jsonl", '{"text": "a"}')
    assert len(sources.load_rows("set", "train")) == 1
    write(data / "set", "train.jsonl", '{"text": "a"}\n{"text": "b"}')
    assert len(sources.load_rows("set", "train")) == 2


def test_bad_lines_are_listed_by_number(data):
    content = b'{"a": 1}\n{"b": 1}\nnonsense\n{"a": "1"}\n\xff\n' + b"[" * 100_000
    write(data / "set", "train.jsonl", content)
    with pytest.raises(BadInput) as error:
        sources.load_rows("set", "train", fields={"a": int})
    text = str(error.value)
    assert "train.jsonl has 5 bad lines" in text
    for part in ("line 2: field 'a' is missing", "line 3: not JSON", "line 5", "line 6"):
        assert part in text
    assert "line 4: field 'a' must be a whole number; got '1'" in text


def test_half_a_surrogate_pair_is_a_bad_line():
    found, bad = sources.parse_json_lines(rb'{"a": "\ud83d"}' + b"\n" + rb'{"a": "\ud83d\ude00"}')
    assert found == [{"a": "😀"}]
    assert [line.line for line in bad] == [1]


def test_many_bad_lines_are_counted():
    _, bad = sources.parse_json_lines(b"x\n" * 25)
    assert sources.describe_bad_lines(bad).endswith("line 10: " + bad[0].reason + "; and 15 more")


def test_an_empty_file_is_refused(data):
    write(data / "set", "train.jsonl", "\n")
    with pytest.raises(BadInput, match="has no rows"):
        sources.load_rows("set", "train")


def test_missing_data_say_where_they_were_looked_for_and_what_to_do(data):
    with pytest.raises(BadInput) as error:
        sources.load_rows("set", "train", HUB)
    for part in (str(paths.data_folder() / "set"), "PEFTCORE_DATA", "--data", "HF_HUB_OFFLINE"):
        assert part in str(error.value)
    assert not sources.is_available("set")


def test_a_folder_is_never_mixed_with_the_hub(data, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    write(data / "set", "train.jsonl", '{"text": "a"}')
    with pytest.raises(BadInput, match=r"no test\.jsonl"):
        sources.load_rows("set", "test", HUB)
    assert sources.is_available("set")


def hub_that(monkeypatch, answer):
    monkeypatch.setattr(sources, "_reachable", lambda: True)
    sources._download.cache_clear()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    library = types.SimpleNamespace(load_dataset=answer)
    monkeypatch.setitem(sys.modules, "datasets", library)


def test_the_hub_is_asked_by_name_and_pinned_revision(data, monkeypatch):
    asked = []

    def load(*names, **options):
        asked.append((names, options))
        return [{"text": "a"}]

    hub_that(monkeypatch, load)
    for _ in range(2):  # the second time it is remembered
        assert sources.load_rows("set", "train", HUB) == [{"text": "a"}]
    assert asked == [(("owner/set", "small"), {"revision": COMMIT, "split": "train"})]


def test_a_branch_is_read_at_the_commit_it_was_when_first_asked(data, monkeypatch):
    heads, asked = ["a" * 40, "b" * 40], []  # the branch moves between two processes

    class Api:
        def dataset_info(self, name, revision):
            assert (name, revision) == ("owner/set", "main")
            return types.SimpleNamespace(sha=heads.pop(0))

    def load(*names, **options):
        asked.append(options["revision"])
        return [{"text": "a"}]

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    branch = sources.HubSource("owner/set", None, "main")
    for _ in range(2):
        hub_that(monkeypatch, load)  # forgets what was downloaded
        sources.load_rows("set", "train", branch)
    assert asked == ["a" * 40] * 2
    assert heads == ["b" * 40]
    stored = (paths.workspace_folder() / sources.COMMITS_FILE).read_text("utf-8")
    assert '"owner/set@main": "aaaa' in stored


def test_a_hub_that_cannot_be_reached_reads_as_bad_input(data, monkeypatch):
    def load(*names, **options):
        raise ConnectionError("no route\nto host")

    hub_that(monkeypatch, load)
    with pytest.raises(BadInput, match=r"set PEFTCORE_DATA or --data.*owner/set failed: no route"):
        sources.load_rows("set", "train", HUB)


def test_without_a_network_nobody_waits_for_the_hub(data, monkeypatch):
    def connect(*place, **options):
        raise OSError("no such host")

    def load(*names, **options):
        raise AssertionError("the library would try for half a minute")

    reachable = sources._reachable
    hub_that(monkeypatch, load)
    monkeypatch.setattr(sources, "_reachable", reachable)
    monkeypatch.setattr(sources, "getproxies", dict)
    monkeypatch.setattr(sources.socket, "create_connection", connect)
    with pytest.raises(BadInput, match=r"PEFTCORE_DATA or --data.*no network to ask the hub"):
        sources.load_rows("set", "train", HUB)
