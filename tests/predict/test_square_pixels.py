"""Pixels that are not square: the specimen's group and cell come out, whatever the sides of its pixels."""

import numpy as np
import pytest

from equisym.data import render
from equisym.predict import SymmetryClassifier, draw_overlay
from equisym.predict.square_pixels import fit_shape, square_pixels

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")


def square_specimen(y, x):
    """A p4m pattern of period 12 nm, at pixels of these sides in nanometres."""
    yy, xx = np.meshgrid(np.arange(0, 120, y), np.arange(0, 120, x), indexing="ij")
    return sum(np.cos(2 * np.pi * (h * xx + k * yy) / 12) for h, k in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)))


@pytest.mark.parametrize("sides", [(0.5, 1.25), (1.25, 0.5), (0.8, 0.5)])
def test_a_square_specimen_stays_square(sides):
    image = square_specimen(*sides)
    blind = CLASSIFIER.predict(image)
    assert blind.group != "p4m" or blind.strain > 0.2
    result = CLASSIFIER.predict(image, pixel_size=sides)
    assert result.group == "p4m"
    assert result.constants["a"] * result.pixel_size == pytest.approx(12, rel=3e-3)
    assert "resampled to squares of 0.5 nm" in result.notes[0]
    assert result.shape == fit_shape(image, result.shape).shape
    assert len(draw_overlay(image, result).axes) == 5


def test_square_pixels_are_left_alone():
    image = render("p4m", "noise", seed=1, size=96)[0].numpy()
    for size, side in ((None, None), (0.2, 0.2), ((0.2, 0.2), 0.2), ((0.2, 0.20001), pytest.approx(0.2, rel=1e-4))):
        same, found, note = square_pixels(image, size)
        assert same is image
        assert note is None
        assert found == side


def test_large_images_are_averaged_along_the_finer_axis():
    image, side, _ = square_pixels(np.ones((4000, 8000), np.uint8), (2.0, 1.0))
    assert image.shape == (4000, 4000)
    assert side == 2.0
    np.testing.assert_allclose(image, 1, rtol=1e-6)
    long = np.ones((100, 6000), np.uint8)
    image, side, note = square_pixels(long, (1.0, 2.0))  # too long only along the coarser axis
    assert (image.shape, side) == ((50, 6000), 2.0)
    assert note.endswith("squares of 2 nm: 6000 x 50 of them")


@pytest.mark.parametrize("size", [0, (1, -1), (1, 2, 3), (np.nan, 1), (1, 100)])
def test_wrong_sizes_are_errors(size):
    with pytest.raises(ValueError, match="pixel_size"):
        CLASSIFIER.predict(square_specimen(1, 1), pixel_size=size)


def test_unknown_pixels_stay_unknown():
    image = square_specimen(0.5, 1.25)
    known = np.ones(image.shape, bool)
    known[:100, :40] = False
    image[~known] = np.random.default_rng(0).normal(size=(100 * 40)) * 5
    result = CLASSIFIER.predict(image, pixel_size=(0.5, 1.25), mask=known)
    assert result.group == "p4m"
    stretched, _, _ = square_pixels(np.where(known, image, np.nan), (0.5, 1.25))
    assert np.isnan(stretched).mean() == pytest.approx((~known).mean(), rel=0.05)
