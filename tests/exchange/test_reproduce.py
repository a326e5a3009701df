import hashlib
import io
import json
import stat
import zipfile

import pytest
from support.bases import build_tiny

from peftcore.errors import BadInput
from peftcore.exchange import bundle, reproduce
from peftcore.runs.store import RunStore
from peftcore.training import planning, run_training

SMALL = {"shots": 6, "dev": 3, "steps": 2, "batch": 3, "evaluate_every": 1, "precision": "fp32"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A random base called "mine"."""
    base = build_tiny("t5")
    base.model.save_pretrained(tmp_path / "models" / "mine")
    base.tokenizer.save_pretrained(tmp_path / "models" / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path / "models"))
    return tmp_path


def trained(method="lora", **more):
    spec = planning.build_spec(
        "mine", "miniworld_nli", method, None, {"seeds": 2}, SMALL,
        {"limit": 6, "max_new_tokens": 3}, **more,
    )  # fmt: skip
    run = RunStore().create(spec)
    run_training.execute_run(run)
    return run


def test_reproducing_trains_again_to_the_same_scores_and_leaves_the_run_alone(own, home):
    run = trained()
    before = {p.name: p.stat().st_mtime_ns for p in run.folder.iterdir()}
    bundle.write_bundle([run], own / "a.zip")
    report = reproduce.reproduce(own / "a.zip", device="cpu")
    assert report.findings == []
    assert report.identical
    assert {s.metric for s in report.scores} == set(run.scores())
    assert {s.seed for s in report.scores} == {0, 1}
    again = home / "reproductions" / run.id / "adapter.safetensors"
    assert again.read_bytes() == (run.folder / "adapter.safetensors").read_bytes()
    assert {p.name: p.stat().st_mtime_ns for p in run.folder.iterdir()} == before


def test_a_run_that_starts_from_another_brings_it_along(own):
    first = trained("prompt_tuning")
    second = trained("prompt_tuning", start=first.id)
    bundle.write_bundle([second], own / "a.zip")
    assert f"runs/{first.id}/adapter.safetensors" in zipfile.ZipFile(own / "a.zip").namelist()
    report = reproduce.reproduce(own / "a.zip", device="cpu")
    assert {s.run for s in report.scores} == {first.id, second.id}
    assert report.identical


def edited(source, target, change):
    """A copy of a bundle with members changed by a function, and with sums that fit if asked."""
    with zipfile.ZipFile(source) as file:
        members = {name: file.read(name) for name in file.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return target


def resummed(members):
    members["SHA256SUMS"] = "".join(
        f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in members.items() if n != "SHA256SUMS"
    ).encode()


def test_every_changed_missing_and_added_file_is_named(own):
    run = trained()
    bundle.write_bundle([run], own / "a.zip")
    place = f"runs/{run.id}"

    def change(members):
        members[f"{place}/scores.json"] = b'{"accuracy": [1.0, 1.0]}'
        del members[f"{place}/history.jsonl"]
        members[f"{place}/answers.parquet"] = b"new"

    with pytest.raises(BadInput) as error:
        reproduce.reproduce(edited(own / "a.zip", own / "b.zip", change), device="cpu")
    for reason in ("scores.json was changed", "history.jsonl is listed and not there",
                 "answers.parquet is there and not listed"):  # fmt: skip
        assert reason in str(error.value)


def test_other_versions_are_told_other_weights_data_and_settings_are_refused(own):
    run = trained()
    bundle.write_bundle([run], own / "a.zip")
    place = f"runs/{run.id}"

    def versions(members):
        manifest = json.loads(members[f"{place}/manifest.json"])
        manifest["versions"]["torch"] = "1.0"
        members[f"{place}/manifest.json"] = json.dumps(manifest).encode()
        resummed(members)

    def foreign(members):
        manifest = json.loads(members[f"{place}/manifest.json"])
        manifest["base"]["fingerprint"], manifest["data_hash"] = "f00", "d00"
        members[f"{place}/manifest.json"] = json.dumps(manifest).encode()
        spec = json.loads(members[f"{place}/spec.json"])
        spec["training"]["shots"] = 9
        members[f"{place}/spec.json"] = json.dumps(spec).encode()
        resummed(members)

    report = reproduce.reproduce(edited(own / "a.zip", own / "b.zip", versions), device="cpu")
    assert [(f.what, f.fatal) for f in report.findings] == [("version", False)]
    assert "made with torch 1.0" in report.findings[0].sentence
    found = reproduce.find_differences(
        *reproduce.open_bundle(edited(own / "a.zip", own / "c.zip", foreign))
    )
    assert [(f.what, f.fatal) for f in found] == [("spec", True), ("base", True), ("data", True)]
    with pytest.raises(BadInput, match="had weights f00"):
        reproduce.reproduce(own / "c.zip", device="cpu")


def zipped(path, entries):
    """A zip with these entries, each a name or a ZipInfo with its content."""
    with zipfile.ZipFile(path, "w") as file:
        for entry, content in entries:
            file.writestr(entry, content)
    return path


def entry(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


GOOD = "runs/0123456789ab/spec.json"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "outside itself"),
        ("../spec.json", "outside itself"),
        ("runs/../../spec.json", "outside itself"),
        ("runs\\..\\..\\spec.json", "outside itself"),
        ("C:\\spec.json", "outside itself"),
        ("\\\\server\\share\\spec.json", "outside itself"),
        ("runs/%2e%2e/spec.json", "does not belong there"),
        ("runs/0123456789ab/run.sh", "does not belong there"),
        ("runs/0123456789AB/spec.json", "does not belong there"),
        ("runs/0123456789ab/spec.json\n", "does not belong there"),
        ("x" * 5000, "does not belong there"),
        ("runs/0123456789ab/", "no ordinary file"),
    ],
)
def test_names_that_lead_elsewhere_or_mean_nothing_are_refused(tmp_path, name, reason):
    with pytest.raises(BadInput, match=reason):
        reproduce.open_bundle(zipped(tmp_path / "a.zip", [(name, b"{}")]))


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, mode):
    with pytest.raises(BadInput, match="no ordinary file"):
        reproduce.open_bundle(zipped(tmp_path / "a.zip", [(entry(GOOD, mode), b"/etc/passwd")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path):
    with pytest.raises(BadInput, match="two members"):
        reproduce.open_bundle(zipped(tmp_path / "a.zip", [(GOOD, b"{}"), (GOOD, b"[]")]))


def test_a_member_that_claims_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MAX_ZIP_MEMBER_MB", "1")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(GOOD, b"0" * 1_500_000)
    (tmp_path / "a.zip").write_bytes(bomb.getvalue())
    with pytest.raises(BadInput, match="unpacks to 1,500,000 bytes; at most 1 MB unpacked"):
        reproduce.open_bundle(tmp_path / "a.zip")
    monkeypatch.delenv("PEFTCORE_MAX_ZIP_MEMBER_MB")
    monkeypatch.setenv("PEFTCORE_MAX_ZIP_MB", "1")
    with pytest.raises(BadInput, match=r"1,500,000 bytes; .*\(PEFTCORE_MAX_ZIP_MB\)"):
        reproduce.open_bundle(tmp_path / "a.zip")


def test_a_member_that_unpacks_to_more_than_it_claims_is_refused(tmp_path):
    """The size stands in two headers; both are made to claim ten bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bundle.json", b"0" * 100_000)
    content = whole.getvalue().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(BadInput, match=r"damaged|not of the 10 bytes"):
        reproduce.open_bundle(tmp_path / "a.zip")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MAX_ZIP_MEMBERS", "2")
    many = [(f"runs/00000000000{i}/spec.json", b"{}") for i in range(3)]
    with pytest.raises(BadInput, match="at most 2"):
        reproduce.open_bundle(zipped(tmp_path / "a.zip", many))


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "no member bundle.json"),
        ({"bundle.json": b"["}, "not JSON"),
        ({"bundle.json": b"[" * 100_000}, "not JSON"),
        ({"bundle.json": b'{"format": "other"}'}, "no reproduction bundle"),
        ({"bundle.json": b'{"format": "peftcore-bundle-1", "runs": 3}'}, "lists no runs"),
        ({"bundle.json": b'{"format": "peftcore-bundle-1", "runs": [{"run": "../x"}]}'}, "no id"),
    ],
)
def test_a_zip_that_is_no_bundle_is_refused(tmp_path, members, reason):
    with pytest.raises(BadInput, match=reason):
        reproduce.open_bundle(zipped(tmp_path / "a.zip", members.items()))


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(BadInput, match="not a zip file"):
        reproduce.open_bundle(tmp_path / "a.zip")
    with pytest.raises(BadInput, match="there is no file"):
        reproduce.open_bundle(tmp_path / "b.zip")
