"""What the four tasks of the explanation benchmark share."""

from peftcore.tasks.kinds.explained import explained_example, human_explanations, one_line


def test_runs_of_white_space_are_one_space():
    assert one_line("  a\n b\t\tc ") == "a b c"


def test_explanations_that_are_empty_or_missing_are_left_out():
    row = {"explanation_1": " because\nit is ", "explanation_2": " ", "explanation_3": None}
    assert human_explanations(row) == ("because it is",)
    assert human_explanations({}) == ()


def test_the_first_explanation_is_the_target_and_all_are_references():
    example = explained_example("k", "does\nit fit?", "yes", ("It Fits.", "So."), ["a", "b"])
    assert example.source == "does it fit?"
    assert example.target == "yes because it fits."
    assert example.references == ("It Fits.", "So.")
    assert (example.label, example.parts) == ("yes", ("a", "b"))
