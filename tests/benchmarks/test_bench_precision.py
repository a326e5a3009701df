"""Half precision against single precision."""


def test_half_precision_is_held_against_single_from_the_same_start(mine, asked):
    words = ["--method", "lora", "--count", "2", "--steps", "4", "--looks", "2"]
    rows = asked("precision", *mine, *words)["rows"]
    assert [row["step"] for row in rows] == [0, 2, 4]
    assert all(0 <= row["apart"] < 0.05 * row["fp32"] for row in rows)
    assert all(row["times_faster"] > 0 for row in rows)
