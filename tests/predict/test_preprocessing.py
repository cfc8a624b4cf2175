"""What is not the sample changes no answer: unknown pixels, hot ones, lost lines, margins; and colours all count."""

import numpy as np
import pytest
import torch

from equisym.data import render
from equisym.predict import SymmetryClassifier
from equisym.predict.artefacts import picture_within
from equisym.predict.preprocessing import Pixels, as_pixels, halves
from equisym.predict.view import LARGEST, reduced

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
SIDE = 160
CLEAN = {name: render(name, "noise", seed=1, size=SIDE)[0].double().numpy() for name in ("p4m", "p3", "pmg")}
ANSWERS = {name: CLASSIFIER.predict(image) for name, image in CLEAN.items()}


def _hot(image):
    image[[20, 50, 51], [30, 90, 7]] = (1e4, -1e30, 3e8)


def _offset(image):
    image += 1e9


def _island(image):
    image[40:60, 70:100] = np.nan
    image[90, 90] = np.inf


def _dead_lines(image):
    image[77] = 0
    image[120] = 1
    image[:, 33] = 0.5


def _jump(image):
    image[77] += 30
    image[:, 33] -= 1e5


def _double_line(image):
    image[77:79] = 1e5


def _border(image):
    image[:4] = 50
    image[:, -5:] = 50


FAULTS = {f.__name__[1:]: f for f in (_hot, _offset, _island, _dead_lines, _jump, _double_line, _border)}


def same(result, name):
    """The clean image's group, nearly its certainty, and its lattice."""
    clean = ANSWERS[name]
    assert clean.group == name
    assert result.group == name, result.refused
    assert result.probabilities[name] > clean.probabilities[name] - 0.03
    np.testing.assert_allclose(abs(np.linalg.det(result.lattice)), abs(np.linalg.det(clean.lattice)), rtol=5e-3)
    # the symmetrised image lies where the pattern is, in its grey values
    return result


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CLEAN)
def test_faults_change_no_answer(name, fault):
    image = CLEAN[name].copy()
    FAULTS[fault](image)
    same(CLASSIFIER.predict(image), name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_or_unknown_border(dtype):
    image = np.full((230, 210), np.nan, dtype)
    image[30 : 30 + SIDE, 20 : 20 + SIDE] = CLEAN["p3"]
    result = same(CLASSIFIER.predict(image), "p3")
    assert result.shape == image.shape
    there = result.symmetrised_image()[30 : 30 + SIDE, 20 : 20 + SIDE]
    assert np.corrcoef(there.ravel(), CLEAN["p3"].ravel())[0, 1] > 0.98
    y, x = np.indices((SIDE, SIDE))
    image[30 : 30 + SIDE, 20 : 20 + SIDE][np.hypot(x - 80, y - 80) > 78] = np.inf
    same(CLASSIFIER.predict(image), "p3")


def test_masks_of_both_kinds_and_transparency():
    known = np.ones((SIDE, SIDE), bool)
    known[:80, :80] = False
    rubbish = CLEAN["p3"].copy()
    rubbish[~known] = np.random.default_rng(0).random((80 * 80,)) * 3
    assert CLASSIFIER.predict(rubbish).group in (None, "p3")  # p3 where the sound windows outvote the rubbish
    answers = [
        CLASSIFIER.predict(rubbish, mask=known),
        CLASSIFIER.predict(rubbish, mask=torch.from_numpy(known)),
        CLASSIFIER.predict(np.ma.array(rubbish, mask=~known)),
        CLASSIFIER.predict(np.stack([rubbish] * 3 + [known], -1)),
    ]
    for result in answers:
        assert same(result, "p3").probabilities == pytest.approx(answers[0].probabilities, abs=1e-3)
    with pytest.raises(ValueError, match="mask must have the image's shape"):
        CLASSIFIER.predict(rubbish, mask=known[1:])


def page(picture, ground):
    """A picture with axis frame, ticks, letters and a colour bar on paper."""
    rng = np.random.default_rng(0)
    ink = 1 - ground
    sheet = np.full((SIDE + 70, SIDE + 110), ground)
    sheet[19 : 21 + SIDE, 39 : 41 + SIDE] = ink
    sheet[20 : 20 + SIDE, 40 : 40 + SIDE] = picture
    sheet[20 : 20 + SIDE : 30, 34:40] = ink
    sheet[20 + SIDE : 25 + SIDE, 40 : 40 + SIDE : 30] = ink
    sheet[20 : 20 + SIDE, 60 + SIDE : 72 + SIDE] = np.linspace(0, 1, SIDE)[:, None]
    for k in range(5):
        sheet[35 + SIDE : 45 + SIDE, 45 + 30 * k : 52 + 30 * k] = np.where(rng.random((10, 7)) < 0.5, ink, ground)
    return sheet


@pytest.mark.parametrize("ground", [1.0, 0.0])
@pytest.mark.parametrize("name", CLEAN)
def test_a_figure_is_cropped_to_its_picture(name, ground):
    picture = CLEAN[name] - CLEAN[name].min()
    sheet = page(0.05 + 0.9 * picture / picture.max(), ground)
    for image in (sheet, np.stack([(255 * sheet).astype(np.uint8)] * 3, -1)):
        result = same(CLASSIFIER.predict(image), name)
        assert any("only the picture" in note for note in result.notes)


def test_a_figure_without_an_answer_is_named_in_the_refusal():
    assert "axes or bars" in CLASSIFIER.predict(page(np.random.default_rng(1).random((SIDE, SIDE)), 1.0)).refused


def test_a_data_bar_is_left_out():
    image = np.concatenate((CLEAN["pmg"], np.full((30, SIDE), CLEAN["pmg"].min())))
    image[SIDE + 8 : SIDE + 20, 10:70][np.random.default_rng(0).random((12, 60)) < 0.4] = CLEAN["pmg"].max()
    image[SIDE + 12 : SIDE + 16, 100:150] = CLEAN["pmg"].max()
    same(CLASSIFIER.predict(image), "pmg")


def test_lines_of_a_pattern_are_no_faults():
    y, x = np.indices((140, 128))
    grid = np.where((x % 32 == 5) | (y % 40 == 7), 0.0, 1.0)  # constant lines, four and three of them
    result = CLASSIFIER.predict(grid)
    assert result.group == "pmm"
    np.testing.assert_allclose(np.sort(np.linalg.norm(result.lattice, axis=0)), (32, 40), atol=0.05)
    assert not any("left out" in note for note in result.notes)


def test_squares_on_paper_are_no_figure():
    y, x = np.indices((160, 160))
    result = CLASSIFIER.predict(np.where((abs(x % 40 - 20) < 14) & (abs(y % 40 - 20) < 14), 0.0, 1.0))
    assert result.group == "p4m"
    np.testing.assert_allclose(np.linalg.norm(result.lattice, axis=0), 40, atol=0.05)


def test_nothing_known_is_refused():
    assert "not finite" in CLASSIFIER.predict(np.full((64, 64), np.inf)).refused
    assert "too small" in CLASSIFIER.predict(np.ma.array(CLEAN["p3"], mask=np.indices((SIDE, SIDE))[0] > 9)).refused


LUMINANCE = np.array([0.299, 0.587, 0.114])
REDDER = np.array([0.587, -0.299, 0.0])  # of no luminance


def spots(basis, places, width=4.0, size=200):
    """Gaussian spots at fractional places of every cell."""
    y, x = np.indices((size, size))
    u = np.tensordot(np.linalg.inv(basis), np.stack((x, y)) + 3.3, 1)
    out = np.zeros((size, size))
    for place in places:
        off = u - np.array(place)[:, None, None]
        away = np.tensordot(basis, off - np.rint(off), 1)
        out += np.exp(-0.5 * (away**2).sum(0) / width**2)
    return out


def coloured(grey, hue):
    return 0.3 + 0.4 * grey[..., None] + 0.25 * hue[..., None] * REDDER


def test_grey_arrays_and_grey_colours_are_one():
    grey = spots(np.eye(2) * 24, [(0, 0)])
    assert CLASSIFIER.predict(np.stack([grey] * 3, -1)).to_dict() == CLASSIFIER.predict(grey).to_dict()


def test_rows_of_equally_bright_colours():
    square, double = np.eye(2) * 24, np.diag([48.0, 24.0])
    image = coloured(spots(square, [(0, 0)]), spots(double, [(0, 0)]) - spots(double, [(0.5, 0)]))
    assert CLASSIFIER.predict(image @ LUMINANCE).group == "p4m"
    result = CLASSIFIER.predict(image)
    assert result.group == "pmm"
    np.testing.assert_allclose(np.sort(np.linalg.norm(result.lattice, axis=0)), (24, 48), rtol=5e-3)


def test_a_honeycomb_of_two_colours():
    hexagonal = 26 * np.array([[1.0, -0.5], [0.0, np.sqrt(0.75)]])
    one, other = spots(hexagonal, [(1 / 3, 2 / 3)]), spots(hexagonal, [(2 / 3, 1 / 3)])
    image = coloured(one + other, one - other)
    assert CLASSIFIER.predict(image @ LUMINANCE).group == "p6m"
    assert CLASSIFIER.predict(image).group == "p3m1"


def test_colours_that_turn_on_a_grey_that_does_not():
    square = np.eye(2) * 26
    turning = [(0.28, 0.12), (-0.12, 0.28), (-0.28, -0.12), (0.12, -0.28)]
    image = coloured(spots(square, [(0, 0)], 5.0), spots(square, turning, 2.5))
    assert CLASSIFIER.predict(image @ LUMINANCE).group == "p4m"
    assert CLASSIFIER.predict(image).group == "p4"


def test_three_colours_in_turn():
    """No one mixture of the channels tells all three colours apart from every angle: they count together."""
    hexagonal = 34 * np.array([[1.0, -0.5], [0.0, np.sqrt(0.75)]])
    image = np.stack([spots(hexagonal, [place]) for place in ((0, 0), (1 / 3, 2 / 3), (2 / 3, 1 / 3))], -1)
    result = CLASSIFIER.predict(image)
    assert result.group == "p3m1"
    np.testing.assert_allclose(np.linalg.norm(result.lattice, axis=0), 34, rtol=5e-3)


def test_hot_pixels_are_few_and_far():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(128, 128))
    assert as_pixels(image).known is None
    image[3, 4] = 100.0
    assert np.argwhere(~as_pixels(image).known).tolist() == [[3, 4]]
    sparse = np.zeros((128, 128))
    sparse[::16, ::16] = 1.0  # a pattern of single pixels
    assert as_pixels(sparse).known is None


@pytest.mark.parametrize("known", [True, False])
def test_pixels_of_a_reduced_view_lie_where_its_corner_and_scale_say(known):
    """A ramp is its own ruler: the grey value of a pixel is its place."""
    y, x = np.indices((66, 2 * LARGEST + 6)).astype(float)
    inside = None if known else (x + y > 60)
    for place, axis in ((x, 0), (y, 1)):
        view = reduced(Pixels(place[None], inside, corner=(7, 11)))
        assert view.scale == 3
        rows, columns = np.indices(view.grey.shape)
        expected = (columns, rows)[axis] * view.scale + view.corner[axis] - (7, 11)[axis]
        whole = slice(None) if inside is None else view.mask.numpy() & (rows + columns > 25)
        found = view.grey.double().numpy() * view.spread + view.mean
        np.testing.assert_allclose(found[whole], expected[whole], atol=2e-3)


@pytest.mark.parametrize("turn", [0, 2])
def test_of_two_pictures_on_a_page_the_larger_is_taken(turn):
    sheet = np.ones((1, 160, 200))
    rng = np.random.default_rng(0)
    sheet[0, 8:72, 10:150], sheet[0, 80:152, 20:140] = rng.random((64, 140)), rng.random((72, 120))  # the first
    part = picture_within(Pixels(np.rot90(sheet, turn, (1, 2))))
    assert part.shape[0] < 64
    sheet[0, 8:72, 110:150] = 1  # now the second
    part = picture_within(Pixels(np.rot90(sheet, turn, (1, 2))))
    assert 64 <= part.shape[0] < 72


def test_an_image_is_looked_at_in_its_middle_and_its_corners():
    image = np.arange(90 * 60).reshape(1, 90, 60)
    parts = halves(Pixels(image), 3)
    assert [part.corner for part in parts] == [(20, 30), (0, 0), (40, 0), (0, 60), (40, 60)]
    for part in parts:
        x, y = part.corner
        np.testing.assert_array_equal(part.channels, image[:, y : y + 30, x : x + 20])
