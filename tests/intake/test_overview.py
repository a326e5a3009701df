"""The list of bases: heads, where each comes from."""

from peftcore.intake import overview


def test_bases_of_the_project_are_listed_as_such():
    entries = {entry.info.name: entry for entry in overview.base_entries()}
    gpt, t5 = entries["tiny-gpt"], entries["tiny-t5"]
    assert (gpt.origin, t5.origin) == ("shipped", "shipped")
    assert gpt.heads_text == f"{gpt.info.layers} × {gpt.heads}"
    assert min(entry.heads for entry in entries.values()) >= 1
    assert gpt.disk_bytes > 1e6
    assert overview.read_card("tiny-gpt")


def test_a_folder_that_the_environment_names_is_ones_own(tiny, tmp_path, monkeypatch):
    base = tiny("llama")
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    entry = overview.describe_entry("mine")
    assert (entry.origin, entry.heads_text) == ("own folder", "2 × 4 on 2")
    assert overview.read_card("mine") == ""
