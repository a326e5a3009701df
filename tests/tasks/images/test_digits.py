"""The real digits: quantised by quarters, split for good, read back by the classifier."""

from peftcore.tasks.images import canvas, digits


def test_grey_becomes_the_nearest_quarter():
    assert digits.quantize([0, 1, 2, 5, 6, 9, 10, 13, 14, 16]) == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4)


def test_every_row_is_in_one_split():
    numbers = [
        d.number for split in ("train", "validation", "test") for d in digits.load_digit_rows(split)
    ]
    assert sorted(numbers) == list(range(1797))
    assert len(digits.load_digit_rows("train")) == 1077


def test_pictures_use_all_levels_and_no_other():
    levels = {level for digit in digits.load_digit_rows("test") for level in digit.picture}
    assert levels == set(range(digits.LEVELS))


def test_prompts_are_english():
    assert digits.digit_prompt("three") == "draw a three"
    assert digits.digit_prompt("eight") == "draw an eight"


def test_the_reader_knows_real_digits_it_was_not_fitted_on():
    assert digits.digit_classifier().accuracy() > 0.97
    assert digits.digit_classifier().predict([]) == []


def test_the_reader_reads_a_drawn_one_and_a_drawn_zero():
    one = canvas.code_to_picture(
        "00014000/00144000/01444000/00144000/00044000/00044000/00144100/00144100"
    )
    zero = canvas.code_to_picture(
        "00034100/00344300/01410240/02400140/02400140/01400240/00430440/00034410"
    )
    assert digits.digit_classifier().predict([one, zero]) == ["one", "zero"]


def test_chances_are_as_sure_as_the_reader_is_right():
    test = digits.load_digit_rows("test")
    threes = [d.word == "three" for d in test]
    chances = digits.digit_classifier().probabilities([d.picture for d in test], "three")
    assert digits.digit_classifier().probabilities([], "three") == []
    assert all(0 < chance < 1 for chance in chances)
    right = [chance for chance, three in zip(chances, threes, strict=True) if three]
    wrong = [chance for chance, three in zip(chances, threes, strict=True) if not three]
    assert sum(right) / len(right) > 0.85
    assert sum(wrong) / len(wrong) < 0.02
    share = sum(threes) / len(threes)  # calibrated: chances and threes are equally many
    assert abs(sum(chances) / len(chances) - share) < 0.02
