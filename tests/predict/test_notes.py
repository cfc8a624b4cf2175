"""What an answer says of itself: few repeats, and two groups between which it wavers."""

import numpy as np

from equisym.predict import SymmetryClassifier

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")


def waves(height, width, period, amplitude=1.0):
    """Waves of a square cell; those without a part along x are stronger by the amplitude."""
    y, x = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    orders = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2))
    return sum((1 if h else amplitude) * np.cos(2 * np.pi * (h * x + k * y) / period) for h, k in orders)


def test_less_than_nine_cells_are_few():
    assert "few repeats: 8.6 cells" in CLASSIFIER.predict(waves(96, 92, 32)).notes  # 96 x 92 / 32 x 32
    assert not any("few" in note for note in CLASSIFIER.predict(waves(96, 97, 32)).notes)


def test_a_doubtful_answer_names_the_two_likeliest_groups_with_their_probabilities():
    """Between a square pattern and one in which one of two equal waves is stronger there is one that may be either."""
    low, high = 1.0, 3.0
    for _ in range(12):
        middle = (low + high) / 2
        result = CLASSIFIER.predict(waves(96, 96, 16, middle))
        (first, p), (second, q) = sorted(result.probabilities.items(), key=lambda item: -item[1])[:2]
        if p < 0.8:
            break
        assert not result.notes
        low, high = (middle, high) if first in ("p4", "p4m", "p4g") else (low, middle)
    assert result.notes == (f"uncertain: {first} ({100 * p:.0f} %) or {second} ({100 * q:.0f} %)",)


def test_a_large_image_of_a_fine_pattern_is_analysed_at_full_scale_in_its_middle():
    fine = CLASSIFIER.predict(waves(1030, 1100, 24))
    assert "only the middle 1024 pixels were analysed, of 1100 x 1030" in fine.notes
    assert fine.group == "p4m"
    assert "reduced 2-fold from 1100 x 1030 pixels" in CLASSIFIER.predict(waves(1030, 1100, 64)).notes
