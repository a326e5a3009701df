"""Values of specs are remembered by identity, and never those of another spec."""

from peftcore.runs import by_spec
from peftcore.runs.spec import Members, RunSpec


def spec_of(seeds):
    return RunSpec(base="b", task="t", method="lora", population=Members(seeds=seeds))


def test_a_value_is_computed_once_for_each_spec(monkeypatch):
    monkeypatch.setattr(by_spec, "MOST", 2)
    asked = []

    @by_spec.remembered
    def seeds(spec):
        asked.append(spec.population.seeds)
        return spec.population.seeds

    first, others = spec_of(1), [spec_of(n) for n in (2, 3)]
    assert [seeds(first), seeds(first)] == [1, 1]
    assert [seeds(each) for each in others] == [2, 3]  # there is room for two
    assert seeds(first) == 1
    assert asked == [1, 2, 3, 1]


def test_a_changed_copy_of_a_spec_has_a_value_of_its_own():
    seeds = by_spec.remembered(lambda spec: spec.population.seeds)
    spec = spec_of(1)
    assert seeds(spec) == 1
    assert seeds(spec.model_copy(update={"population": Members(seeds=4)})) == 4
