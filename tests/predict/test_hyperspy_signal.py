"""A HyperSpy signal goes in with its scale; its elements come out where they are. With a stand-in, and the real one."""

from types import SimpleNamespace

import numpy as np
import pytest

from equisym.data import PatternOptions, draw_pattern
from equisym.predict import SymmetryClassifier
from equisym.predict.elements_in_image import elements_in_image, middle_cell

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
OPTIONS = PatternOptions(repeats=(3, 4.5), correlation=(3, 6), independent=0)
IMAGE = draw_pattern("p4g", "noise", 3, 128, OPTIONS).image(128)[0]
IMAGE = np.asarray(IMAGE)


def stand_in(data, indices=(), units="Å"):
    axis = SimpleNamespace(scale=0.2, units=units, size=128, offset=0.0)
    return SimpleNamespace(data=data, axes_manager=SimpleNamespace(signal_axes=(axis, axis), indices=indices))


def test_a_signal_is_an_image_with_a_scale():
    result = CLASSIFIER.predict(stand_in(IMAGE))
    assert result.group == "p4g"
    assert result.pixel_size == pytest.approx(0.02)
    stack = stand_in(np.stack((np.zeros_like(IMAGE), IMAGE)), indices=(1,))
    assert CLASSIFIER.predict(stack).group == "p4g"
    line = SimpleNamespace(data=IMAGE[0], axes_manager=SimpleNamespace(signal_axes=(1,), indices=()))
    with pytest.raises(ValueError, match="two signal axes"):
        CLASSIFIER.predict(line)


def test_a_diffraction_pattern_is_no_image_but_who_knows_better_is_believed():
    signal = stand_in(IMAGE, units="1/nm")
    with pytest.raises(ValueError, match="a diffraction pattern or a Fourier transform"):
        CLASSIFIER.predict(signal)
    assert CLASSIFIER.predict(signal, pixel_size=0.02).group == "p4g"


def test_elements_lie_where_the_pattern_has_them():
    result = CLASSIFIER.predict(IMAGE)
    found = elements_in_image(result, most=4)
    assert set(found.centres) == {2, 4}
    assert len(found.cells) <= 4
    symmetric = result.symmetrised_image()
    inside = [p for p in found.centres[4] if p.min() > 30 and p.max() < 97]
    for x, y in inside:  # a quarter turn about each 4-fold centre leaves the symmetrised pattern as it is
        from scipy.ndimage import map_coordinates

        u = np.random.default_rng(0).uniform(-25, 25, (60, 2))
        here = map_coordinates(symmetric, [y + u[:, 1], x + u[:, 0]], order=1)
        there = map_coordinates(symmetric, [y + u[:, 0], x - u[:, 1]], order=1)
        assert np.corrcoef(here, there)[0, 1] > 0.98
    assert inside
    with pytest.raises(ValueError, match="refused"):
        elements_in_image(CLASSIFIER.predict(np.ones((40, 40))))


def test_the_middle_cell_of_many_is_in_the_middle():
    many = SimpleNamespace(
        cell=10 * np.eye(2), origin=np.array([3.0, 4.0]), shape=(300, 500), region=None, refused=None
    )
    corner = middle_cell(many)
    assert abs(corner + 5 - np.array([249.5, 149.5])).max() <= 5
    assert (corner - many.origin) % 10 == pytest.approx(0)


@pytest.mark.filterwarnings("ignore")
def test_with_hyperspy_itself():
    hyperspy = pytest.importorskip("hyperspy.api")
    from equisym.predict.hyperspy_signal import markers

    signal = hyperspy.signals.Signal2D(IMAGE)
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units, axis.offset = 0.02, "nm", 1.0
    result = CLASSIFIER.predict(signal)
    assert result.group == "p4g"
    signal.plot()
    drawn = markers(result, signal)
    signal.add_marker(drawn)
    assert len(drawn) == 5
    assert drawn[0].kwargs["verts"].max() <= 1.0 + 128 * 0.02
