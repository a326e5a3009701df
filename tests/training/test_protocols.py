"""Each of the five papers has a protocol whose specs are whole."""

import pytest
import yaml

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.training.protocols import PROTOCOLS, find_protocol


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_specs_on_bases_and_tasks_that_are_here(name):
    protocol = PROTOCOLS[name]
    specs = protocol.specs(*(("tiny-bert", "miniworld_nli") if name == "subspaces" else ()))
    assert set(specs) == set(protocol.methods)
    for spec in specs.values():
        assert spec.training.shots == protocol.training.get("shots", spec.training.shots)
        assert spec.population.vertices == protocol.population.get("vertices", 1)


def test_the_five_papers_are_there():
    sources = {protocol.source.removeprefix("arXiv:") for protocol in PROTOCOLS.values()}
    assert sources == {"2305.13235", "2309.06759", "2310.15793", "2310.19698", "2507.10855"}
    with pytest.raises(BadInput, match="did you mean 'spt'"):
        find_protocol("sptt")


def test_the_protocol_of_sparsefit_is_that_of_the_shipped_sweep():
    shipped = yaml.safe_load((paths.ASSETS / "specs" / "feb.yaml").read_text())
    ours = PROTOCOLS["sparsefit"]
    assert dict(ours.training) == {
        name: value for name, value in shipped["training"].items() if name != "precision"
    }
    assert dict(ours.evaluation) == shipped["evaluation"]
    assert ours.population["seeds"] == shipped["episodes"]["seeds"]
