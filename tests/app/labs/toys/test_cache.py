"""Results that the Toys page offers."""

import json
from dataclasses import asdict

from app.labs.toys import cache
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import find_recipe


def test_own_results_stand_beside_the_shipped_ones():
    assert [source.name for source in cache.result_sources("01")] == ["Shipped"]
    chosen = find_recipe("01", "quick")
    stored = results.read_result(
        results.shipped_folder(), find_recipe("01"), find_recipe("01").stages[1], (0, 1, 2, 3, 4)
    )
    for seeds in ((0, 1), (2, 3)):
        key = chosen.key(chosen.stages[1], seeds)
        own = asdict(stored) | {"key": key, "seeds": list(seeds)}
        (results.own_folder() / f"{key}.json").write_text(json.dumps(own))
        names = [source.name for source in cache.result_sources("01")]
        assert names[1] == "Yours, quick" + (", seeds 0 to 1" if len(names) > 2 else "")
    assert len(names) == 3
