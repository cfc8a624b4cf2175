"""Screens, rasters, scratches, stains and disorder leave a pattern its group; diffraction patterns are none."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from equisym import SymmetryClassifier

SIZE = 280
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
CLASSIFIER = SymmetryClassifier()


def spots(points, a=32.0, b=32.0, turn=0.2, sigma=3.5, x=X, y=Y):
    """Round spots at (u, v, weight) of a rectangular lattice, from 0 to 1."""
    c, s = np.cos(turn), np.sin(turn)
    u, v = (c * x + s * y) / a, (c * y - s * x) / b
    out = np.zeros(x.shape)
    for pu, pv, weight in points:
        du, dv = u - pu - np.rint(u - pu), v - pv - np.rint(v - pv)
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                out += weight * np.exp(-(((du + i) * a) ** 2 + ((dv + j) * b) ** 2) / (2 * sigma**2))
    return (out - out.min()) / np.ptp(out)


SQUARE = [(0, 0, 1.0), (0.5, 0.5, 0.5)]  # p4m
PAIR = [(0, 0, 1.0), (0.3, 0.16, 0.7), (-0.3, -0.16, 0.7)]  # p2


def sure(answer, group):
    assert answer.group == group, str(answer)
    assert answer.probabilities[group] > 0.8
    return answer.notes


@pytest.mark.parametrize(("points", "group"), [(SQUARE, "p4m"), (PAIR, "p2")])
@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_a_print_screen_is_smoothed_away(points, group, turn):
    u, v = ((X * np.cos(t) + Y * np.sin(t)) * 2 * np.pi / 5.3 for t in (turn, turn + np.pi / 2))
    printed = 0.1 + 0.8 * spots(points) > (np.cos(u) + np.cos(v) + 2) / 4
    notes = sure(CLASSIFIER.predict(printed.astype(np.uint8) * 255), group)
    assert any("a fine screen with a period of 5." in note for note in notes)


def test_fine_detail_of_a_pattern_is_no_screen():
    """Rings in every spot, finer than a screen of eight pixels."""
    u, v = X % 32 - 16, Y % 32 - 16
    notes = sure(CLASSIFIER.predict(np.cos(np.hypot(u, v) * 2 * np.pi / 5) * (np.hypot(u, v) < 14)), "p4m")
    assert not any("screen" in note for note in notes)


@pytest.mark.parametrize(("raster", "gain"), [((3, 1), (1, 0.4, 1)), ((2, 2), (0.5, 1.0, 1.0, 0.7))])
def test_kinds_of_pixels_are_made_alike(raster, gain):
    rows, columns = raster
    kinds = np.tile(np.reshape(gain, raster), (SIZE // rows + 1, SIZE // columns + 1))[:SIZE, :SIZE]
    noise = 0.02 * np.random.default_rng(0).standard_normal(X.shape)
    notes = sure(CLASSIFIER.predict(kinds * (spots(PAIR) + 0.2) + noise), "p2")
    assert any(f"of {rows * columns} kinds" in note for note in notes)


def test_scratches_and_dust_are_left_out():
    rng = np.random.default_rng(1)
    image = spots(PAIR) + 0.08 * rng.standard_normal(X.shape)
    for _ in range(12):
        turn, (cx, cy) = rng.uniform(0, np.pi), rng.uniform(0, SIZE, 2)
        along = (X - cx) * np.cos(turn) + (Y - cy) * np.sin(turn)
        across = (Y - cy) * np.cos(turn) - (X - cx) * np.sin(turn)
        image[(np.abs(across) < 1.5) & (np.abs(along) < 110)] = 2.0
    notes = sure(CLASSIFIER.predict(image), "p2")
    assert any("scratches or dust on" in note for note in notes)


def test_particles_out_of_place_are_no_different_motifs():
    rng, image = np.random.default_rng(2), np.zeros(X.shape)
    for i in range(12):
        for j in range(12):
            for corner, weight in ((8, 1.0), (20, 0.5)):
                x, y = np.array([24 * i, 24 * j]) + corner + rng.normal(0, 1.3, 2)
                image += weight * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 20)
    notes = sure(CLASSIFIER.predict(image + 0.03 * rng.standard_normal(X.shape)), "p4m")
    assert not any("differ" in note for note in notes)


@pytest.mark.parametrize("seed", range(4))
def test_stains_make_no_superstructure(seed):
    rng = np.random.default_rng(seed)
    stains = gaussian_filter(rng.standard_normal(X.shape), 14)
    image = spots(SQUARE, 26, 26) + 0.25 * stains / stains.std() + 0.02 * rng.standard_normal(X.shape)
    notes = sure(CLASSIFIER.predict(image), "p4m")
    assert not any("superstructure" in note for note in notes)


def test_bands_that_fit_three_rows_leave_a_doubt():
    """P4m on bands is pmm; that the bands were laid over it cannot be excluded."""
    bands = 0.3 * np.cos(2 * np.pi * (X * np.cos(0.2) + Y * np.sin(0.2)) / 96)
    answer = CLASSIFIER.predict(spots(SQUARE) + bands + 0.03 * np.random.default_rng(0).standard_normal(X.shape))
    assert answer.group == "pmm" or max(answer.probabilities.values()) < 0.8


@pytest.mark.parametrize("corner", [(140.0, 140.0), (120.0, 155.0)])
def test_a_diffraction_pattern_is_refused(corner):
    rng, image = np.random.default_rng(3), 0.02 * np.random.default_rng(4).random(X.shape)
    factor = {(h, k): rng.uniform(0.1, 1) for h in range(9) for k in range(-9, 10)}
    for h in range(-8, 9):
        for k in range(-8, 9):
            other = (h, k) if (h, k) in factor else (-h, -k)
            height = factor[other] * np.exp(-(h * h + k * k) / 9) if (h, k) != (0, 0) else 3.0
            x, y = corner[0] + 19 * h + 4 * k, corner[1] - 4 * h + 19 * k
            image += height * np.exp(-((X - x) ** 2 + (Y - y) ** 2) / 8)
    assert "diffraction" in CLASSIFIER.predict(image).refused


def test_a_vignette_makes_no_diffraction_pattern():
    light = np.exp(-((X - 140) ** 2 + (Y - 140) ** 2) / 9000)
    assert CLASSIFIER.predict(light * (spots(SQUARE) + 0.2)).group == "p4m"


def test_opacity_that_is_the_drawing_is_read():
    ink = np.zeros((SIZE, SIZE, 4), np.uint8)
    ink[..., 3] = 255 * spots(PAIR)
    sure(CLASSIFIER.predict(ink), "p2")
