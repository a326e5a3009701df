"""Keys of a foreign config.json: those of its family reach the library, and no others."""

import json
import sys

import pytest
from support.base_folders import edit_json, write_base

from peftcore.models import base_model, config_keys

HOSTILE = {  # key → value, as configurations have named kernels, code, paths and hosts
    "_attn_implementation": "someone/kernel-that-runs",
    "attn_implementation": "someone/kernel-that-runs",
    "_attn_implementation_internal": "someone/kernel-that-runs",
    "experts_implementation": "someone/kernel-that-runs",
    "auto_map": {"AutoConfig": "hostile--configuration.Hostile", "AutoModel": "hostile.Model"},
    "custom_pipelines": {"text": {"impl": "hostile.Pipeline"}},
    "trust_remote_code": True,
    "use_kernels": True,
    "_name_or_path": "/etc",
    "name_or_path": "//host/share",
    "_commit_hash": "main",
    "a_key_of_nobody": "http://host.invalid/x",
}


@pytest.mark.parametrize("family", ["llama", "t5", "bert", "gpt2"])
def test_no_key_that_names_code_a_path_or_a_host_reaches_the_library(tmp_path, family):
    folder = write_base(tmp_path / family, family)
    plain = base_model.load(str(folder))
    edit_json(folder / "config.json", **HOSTILE, sub={"_attn_implementation": "x/y"})
    config = base_model.read_config(str(folder))
    text = json.dumps({k: str(v) for k, v in vars(config).items()})
    for sign in ("someone/", "hostile", "host", "/etc"):
        assert sign not in text
    base = base_model.load(str(folder))
    assert base.fingerprint == plain.fingerprint
    assert base.model.config._attn_implementation == plain.model.config._attn_implementation
    assert not any("hostile" in name for name in sys.modules)


def test_what_is_left_out_is_named_at_every_depth():
    config = {
        "model_type": "llama",
        "hidden_size": 8,
        "rope_parameters": {"rope_type": "default", "_attn_implementation": "x/y"},
        **HOSTILE,
    }
    assert set(config_keys.left_out(config)) >= {*HOSTILE, "rope_parameters._attn_implementation"}
    kept = config_keys.allowed(config)
    assert kept == {
        "model_type": "llama",
        "hidden_size": 8,
        "rope_parameters": {"rope_type": "default"},
    }


@pytest.mark.parametrize("family", ["llama", "t5", "bert", "gpt2"])
def test_nothing_of_a_plain_configuration_is_left_out_but_where_it_came_from(tmp_path, family):
    folder = write_base(tmp_path / family, family)
    config = json.loads((folder / "config.json").read_text())
    assert set(config_keys.left_out(config)) <= {"_name_or_path", "dtype"}


@pytest.mark.parametrize(
    "earlier",
    [
        {"rope_theta": 12345.0},
        {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
        {"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
        {"num_labels": 5},
    ],
)
def test_what_earlier_releases_wrote_counts_as_the_library_reads_it(tmp_path, earlier):
    """A rotation of another base makes another model, without any error."""
    from transformers import AutoConfig

    folder = write_base(tmp_path / "llama", "llama")
    edit_json(folder / "config.json", rope_parameters=None, **earlier)
    ours = base_model.read_config(str(folder)).to_dict()
    library = AutoConfig.from_pretrained(folder).to_dict()
    assert ours.get("rope_parameters") == library.get("rope_parameters")
    differing = {key for key in library if library[key] != ours.get(key)}
    assert differing <= {"_name_or_path", "_attn_implementation"}
