import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.adapters import EXAMPLES
from support.bases import FAMILIES, build_tiny

from peftcore.errors import BadInput
from peftcore.exchange import folders
from peftcore.models.base_model import fingerprint, load
from peftcore.models.batching import Batch, ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.training import planning
from peftcore.training.checkpoint import load_adapter, save_adapter

TASK = "miniworld_nli"
IDS = torch.tensor([[7, 9, 11, 8, 6], [8, 12, 20, 21, 9]])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A random base of every family, and another T5 of the same shape, as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    for name, family, seed in [
        *((f"my-{f}", f, 0) for f in ("t5", "bert", "gpt2", "llama")),
        ("stranger", "t5", 1),
    ]:
        base = build_tiny(family, seed)
        base.model.save_pretrained(folder / name)
        base.tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture(autouse=True)
def own(models, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))


def learnt(family, method, vertices=1, **settings):
    """A finished run of two seeds whose adapter is random, and its base."""
    base = load(f"my-{family}")
    if method in ("prompt_tuning", "spt", "prefix_tuning"):
        settings = {"length": 4} | settings
    spec = planning.build_spec(
        base.name, TASK, method, settings, {"seeds": 2, "first_seed": 5, "vertices": vertices}
    )
    adapted = planning.build_adapted(base, spec, fresh=False)
    rng = torch.Generator().manual_seed(7)
    for name, tensor in (adapted.tensors | adapted.head_stats).items():
        if not name.startswith("threshold:"):
            size = 0.1 if name.startswith("delta:") else 0.3
            tensor.data += size * torch.rand(tensor.shape, generator=rng)
    run = RunStore().create(spec)
    save_adapter(run, adapted, base)
    run.write_status(state="done")
    return run, base


def given(family):
    known = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    return known | ({"decoder_input_ids": IDS.flip(1)} if family == "t5" else {})


def ours(run, base, family, index=1):
    """What the centroid of one seed says: logits, or an encoder's states."""
    adapted = load_adapter(run, base)
    for name, tensor in adapted.tensors.items():
        adapted.tensors[name] = tensor[index : index + 1].detach()
    with adapted.active(adapted.centroid(1), 2, None) as (mix, _), torch.no_grad():
        types = torch.zeros_like(IDS) if family == "bert" else None
        batch = Batch(IDS, torch.ones_like(IDS), types)
        inputs = adapted.model_inputs(batch, mix)
        if family == "t5":
            inputs["decoder_input_ids"] = IDS.flip(1)
        return adapted.model(**inputs)[0]


def theirs(models, family, folder, **more):
    """What the peft package says after loading the folder onto its own copy of the base."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kinds = {"t5": AutoModelForSeq2SeqLM, "bert": AutoModel}
    extra = {"add_pooling_layer": False} if family == "bert" else {}
    plain = kinds.get(family, AutoModelForCausalLM).from_pretrained(
        models / f"my-{family}", **extra
    )
    model = peft.PeftModel.from_pretrained(plain, folder).eval()
    with torch.no_grad():
        return model(**given(family), **more)[0]


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


EXPRESSIBLE = [
    ("t5", "prompt_tuning", 1, {}),
    ("t5", "spt", 1, {}),
    ("gpt2", "spt", 3, {}),
    ("llama", "prompt_tuning", 2, {}),
    ("llama", "prefix_tuning", 1, {}),
    ("llama", "prefix_tuning", 6, {}),
    ("llama", "prefix_tuning", 2, {"perceptron": 5}),
    ("t5", "lora", 1, {"rank": 3, "alpha": 5.0}),
    ("t5", "lora", 3, {"stacks": ["encoder"], "components": ["attention.key", "ffn"]}),
    ("bert", "lora", 1, {}),
    ("gpt2", "lora", 1, {"rank": 2, "components": ["attention.query", "attention.output"]}),
    ("gpt2", "lora", 2, {"components": ["attention.value", "attention.query", "ffn"]}),
    ("llama", "lora", 1, {}),
    ("t5", "atoms", 2, {"threshold": 0.0}),
    ("gpt2", "atoms", 1, {"threshold": 0.0, "components": ["attention.query", "ffn.output"]}),
]
SCALES = [(family, "ia3", n, {}) for family, n in zip(FAMILIES, (1, 2, 1, 3), strict=True)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "method", "vertices", "settings"), EXPRESSIBLE + SCALES)
def test_the_package_says_the_same_with_an_exported_folder(
    models, tmp_path, family, method, vertices, settings
):
    run, base = learnt(family, method, vertices, **settings)
    folders.export_peft(run, 6, tmp_path / "out", base)
    mine = ours(run, base, family)
    close(mine, theirs(models, family, tmp_path / "out"))
    assert not torch.allclose(mine, ours(run, base, family, 0), atol=1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("family", "method", "vertices", "settings"), EXPRESSIBLE)
def test_an_imported_folder_answers_like_the_run_it_came_from(
    tmp_path, family, method, vertices, settings
):
    run, base = learnt(family, method, vertices, **settings)
    folders.export_peft(run, 6, tmp_path / "out", base)
    back = folders.import_peft(tmp_path / "out", base, TASK)
    assert back.status().state == "done"
    assert back.scores() == {}
    assert back.manifest()["imported"]["base_in_file"] == base.name
    assert back.id != run.id
    close(ours(back, base, family, 0), ours(run, base, family, 1))
    assert RunStore().open(back.id).spec == back.spec
    assert folders.import_peft(tmp_path / "out", base.name, TASK).id == back.id


@pytest.mark.filterwarnings("ignore")
def test_a_prefix_on_learned_positions_needs_a_caller_who_moves_them(models, tmp_path):
    run, base = learnt("gpt2", "prefix_tuning", 2)
    with pytest.raises(BadInput, match="position_ids that begin at -4"):
        folders.export_peft(run, 5, tmp_path / "out", base)
    assert not (tmp_path / "out").exists()
    notes = folders.export_peft(run, 6, tmp_path / "out", base, moved_positions=True)
    assert "begin at -4" in notes[0]
    moved = torch.arange(-4, 1).expand(2, -1)
    mine = ours(run, base, "gpt2")
    close(mine, theirs(models, "gpt2", tmp_path / "out", position_ids=moved))
    assert not torch.allclose(mine, theirs(models, "gpt2", tmp_path / "out"), atol=1e-3)
    with pytest.raises(BadInput, match="cannot be imported: it has learned positions"):
        folders.import_peft(tmp_path / "out", base, TASK)


@pytest.mark.parametrize(
    ("family", "method", "reason"),
    [
        ("t5", "prefix_tuning", "none for the encoder and none for the decoder's look"),
        ("bert", "prefix_tuning", "moves the positions of an encoder's content"),
        ("bert", "prompt_tuning", "before an encoder's first token"),
        ("bert", "linear_probe", "has no form for Linear probe"),
        ("t5", "atoms", "cut off at a threshold"),
        ("t5", "sparsefit", "SparseFit as it is here: .* which a merged model can hold"),
    ],
)
def test_what_the_package_cannot_express_is_refused_with_the_reason(
    tmp_path, family, method, reason
):
    run, base = learnt(family, method)
    with pytest.raises(BadInput, match=rf"{reason}.* Our own format has it"):
        folders.export_peft(run, 5, tmp_path / "out", base)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("family", "method", "settings"),
    [
        *((family, "lora", {}) for family in FAMILIES),
        ("gpt2", "lora", {"components": ["attention.key", "attention.value", "ffn"]}),
        ("t5", "atoms", {"threshold": 0.0}),
        *((family, "sparsefit", {}) for family in FAMILIES),
        ("bert", "bitfit", {}),
        ("t5", "full_fine_tuning", {}),
        ("gpt2", "full_fine_tuning", {}),
    ],
)
def test_a_merged_model_is_an_ordinary_model_that_says_the_same(tmp_path, family, method, settings):
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    run, base = learnt(family, method, 2, **settings)
    before = fingerprint(base.model)
    folders.export_merged(run, 6, tmp_path / "out", base)
    kinds = {"t5": AutoModelForSeq2SeqLM, "bert": AutoModel}
    plain = kinds.get(family, AutoModelForCausalLM).from_pretrained(tmp_path / "out")
    with torch.no_grad():
        close(plain.eval()(**given(family))[0], ours(run, base, family))
    assert "peftcore" not in (tmp_path / "out" / "config.json").read_text()
    assert fingerprint(base.model) == before == base.fingerprint


def test_a_method_that_does_more_than_change_weights_cannot_be_merged(tmp_path):
    run, base = learnt("t5", "prefix_tuning")
    with pytest.raises(BadInput, match="does more than change weights"):
        folders.export_merged(run, 5, tmp_path / "out", base)


def test_an_encoders_head_lies_beside_and_gives_the_runs_logits(tmp_path):
    run, base = learnt("bert", "lora")
    folders.export_peft(run, 6, tmp_path / "out", base)
    head = load_file(tmp_path / "out" / "head.safetensors")
    adapted = load_adapter(run, base)
    batch = ExampleBatcher(base, ["a", "b", "c"]).batch(EXAMPLES[:1] * 2)
    with adapted.active(adapted.centroid(), 2, None):
        states = adapted.model(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            token_type_ids=batch.token_type_ids,
        ).last_hidden_state
    x = (states[1, 0] - head["head_mean"]) / head["head_scale"]
    close(x @ head["head"] + head["head_bias"], adapted.logits(batch, adapted.centroid())[1])


def test_a_seed_that_is_not_there_and_a_full_folder_are_refused(tmp_path):
    run, base = learnt("t5", "lora")
    with pytest.raises(BadInput, match=r"no seed '9'; .*known: 5, 6"):
        folders.export_peft(run, 9, tmp_path / "out", base)
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(BadInput, match="not empty"):
        folders.export_peft(run, 5, tmp_path, base)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "LORA"])
def test_a_folder_the_package_itself_wrote_is_imported(models, tmp_path, kind):
    """With what only strangers have: a second prompt nobody uses, unequal ranks, other scales."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForSeq2SeqLM

    plain = AutoModelForSeq2SeqLM.from_pretrained(models / "my-t5")
    config = peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)
    if kind == "LORA":
        config = peft.LoraConfig(
            task_type="SEQ_2_SEQ_LM", r=2, lora_alpha=6, target_modules=["q", "wi"],
            rank_pattern={"wi": 4}, alpha_pattern={"wi": 3}, init_lora_weights=False,
            layers_to_transform=[1], layers_pattern="block",
        )  # fmt: skip
    model = peft.get_peft_model(plain, config)
    model.save_pretrained(tmp_path / "out")
    run = folders.import_peft(tmp_path / "out", "my-t5", TASK)
    close(ours(run, load("my-t5"), "t5", 0), theirs(models, "t5", tmp_path / "out"))


@pytest.fixture
def folder(tmp_path):
    """A folder of the package that could be imported."""
    run, base = learnt("t5", "lora")
    folders.export_peft(run, 5, tmp_path / "out", base)
    return tmp_path / "out"


def refused(folder, base="my-t5"):
    with pytest.raises(BadInput) as error:
        folders.import_peft(folder, base, TASK)
    assert not [run for run in RunStore().all(include_demos=False) if "imported" in run.manifest()]
    return str(error.value)


def test_an_adapter_is_refused_on_other_weights_of_the_same_shape(folder):
    assert "same shape is not the same model" in refused(folder, "stranger")


class Marker:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.safetensors"])
def test_a_pickle_is_refused_and_never_run(folder, tmp_path, name):
    (folder / "adapter_model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Marker(tmp_path / "ran")))
    assert "is a pickle, which runs code" in refused(folder)
    assert not (tmp_path / "ran").exists()


def header_of(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def rewritten(path, header, data, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def huge(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["shape"] = [2**40, 2**20]


def overlapping(header):
    first, second = [name for name in header if name != "__metadata__"][:2]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    header[second]["shape"] = header[first]["shape"]


def negative(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["shape"] = [-1, 4]


def strange(header):
    first = next(name for name in header if name != "__metadata__")
    header[first]["dtype"] = "OBJECT"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (huge, "claims shape"),
        (overlapping, "overlap or leave gaps"),
        (negative, "in no known way"),
        (strange, "in no known way"),
    ],
)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(folder, damage, message):
    path = folder / "adapter_model.safetensors"
    header, data = header_of(path)
    damage(header)
    rewritten(path, header, data)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("length", "message"), [(2**62, "cut off or not a safetensors file"), (5, "cannot be read")]
)
def test_a_header_of_the_wrong_length_is_refused(folder, length, message):
    path = folder / "adapter_model.safetensors"
    header, data = header_of(path)
    rewritten(path, header, data, length)
    assert message in refused(folder)


def test_a_header_larger_than_any_model_needs_is_refused(folder):
    rewritten(folder / "adapter_model.safetensors", b"{" + b" " * 16_000_001, b"")
    assert "at most 16,000,000 are read" in refused(folder)


def test_a_name_given_twice_and_nesting_without_end_are_refused(folder):
    path = folder / "adapter_model.safetensors"
    rewritten(path, b'{"a": 1, "a": 2}', b"")
    assert "stands there twice" in refused(folder)
    rewritten(path, b'{"a":' + b"[" * 100_000, b"")
    assert "cannot be read" in refused(folder)


@pytest.mark.parametrize("cut", [3, 40, -7])
def test_a_file_that_is_cut_off_is_refused(folder, cut):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert "cut off" in refused(folder)


def test_something_behind_the_tensors_is_refused(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes() + b"more")
    assert "something behind its tensors" in refused(folder)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("stowaway", (1,), "'stowaway' does not belong to a LoRA adapter"),
        ("base_model.model.no.such.lora_A.weight", (8, 16), "does not have among the parts"),
        (
            "base_model.model.decoder.block.0.layer.0.SelfAttention.q.lora_A.weight",
            (8, 17),
            "needs 16 to 16",
        ),
    ],
)
def test_foreign_tensors_and_other_shapes_are_refused(folder, name, shape, message):
    path = folder / "adapter_model.safetensors"
    save_file(load_file(path) | {name: torch.zeros(shape)}, path)
    assert message in refused(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "uses use_dora"),
        ({"bias": "all"}, "uses biases"),
        ({"modules_to_save": ["head"]}, "uses modules_to_save"),
        ({"peft_type": "VERA"}, "type VERA cannot be imported"),
        ({"task_type": "CAUSAL_LM"}, "is for CAUSAL_LM"),
        ({"alpha_pattern": {"(a+)+$": 3}}, "must name modules in full"),
        ({"lora_alpha": "much"}, "must be a positive number"),
    ],
)
def test_a_configuration_we_have_no_equal_for_is_refused(folder, change, message):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert message in refused(folder)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_a_configuration_that_cannot_be_read_is_refused(folder, text):
    (folder / "adapter_config.json").write_text(text)
    assert "adapter_config.json" in refused(folder)


def test_a_head_for_other_labels_or_none_at_all_is_refused(tmp_path):
    run, base = learnt("bert", "lora")
    out = tmp_path / "out"
    folders.export_peft(run, 5, out, base)
    with pytest.raises(BadInput, match="the head is for the labels"):
        folders.import_peft(out, base, "miniworld_sentiment")
    (out / "head.safetensors").unlink()
    with pytest.raises(BadInput, match=r"the folder has no head\.safetensors"):
        folders.import_peft(out, base, TASK)


@pytest.mark.parametrize("damage", [huge, overlapping, negative, strange])
def test_the_file_of_a_run_of_ours_is_checked_the_same(damage):
    run, base = learnt("t5", "lora")
    path = run.folder / "adapter.safetensors"
    header, data = header_of(path)
    damage(header)
    rewritten(path, header, data)
    with pytest.raises(BadInput, match=r"adapter\.safetensors"):
        load_adapter(run, base)
