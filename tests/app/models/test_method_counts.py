"""What methods train on a base, as a table."""

import pandas as pd

from app.models import method_counts
from peftcore.models import catalog


def test_a_row_has_count_share_and_the_memory_of_weights_and_what_is_trained():
    info = catalog.describe_base("tiny-gpt")
    table = method_counts.counts_table(info, {"lora": 1000, "linear_probe": None})
    lora, probe = table.set_index("Method").to_dict("index").values()
    assert lora["Trainable parameters"] == 1000
    assert lora["Share (%)"] == 100_000 / info.parameter_count
    assert lora["Memory for one seed (MB)"] == (4 * info.parameter_count + 16_000) / 1e6
    assert pd.isna(probe["Trainable parameters"])


def test_a_base_is_counted_once_in_a_thread(monkeypatch):
    counted = []
    monkeypatch.setattr(method_counts, "_count", lambda name: counted.append(name) or {"lora": 1})
    counter = method_counts.MethodCounter()
    counter.counts_so_far("tiny-gpt")
    counter._pool.shutdown(wait=True)
    assert counter.counts_so_far("tiny-gpt") == {"lora": 1}
    assert counted == ["tiny-gpt"]
