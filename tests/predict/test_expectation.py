"""What was expected, beside the answer: agreement in standard errors, units, and what is no expectation."""

import numpy as np
import pytest

from equisym.predict import Expectation, Prediction, SymmetryClassifier, export_answer
from equisym.predict.export import plane_group_text

LATTICE = np.array([[20.0, 0.0], [0.0, 20.1]])
RESULT = Prediction(
    None,
    {"p4m": 0.9, "pmm": 0.1},
    lattice=LATTICE,
    lattice_error=np.full((2, 2), 0.02),
    cell=LATTICE,
    origin=np.zeros(2),
    pixel_size=0.02,
    shape=(64, 64),
)


def test_agreement_in_standard_errors():
    group, a, b = Expectation.parse("p4m a=0.4004 b=4.2A").compare(RESULT)
    assert (str(group), group.agrees) == ("group p4m", True)
    assert a.agrees
    assert a.sigmas == pytest.approx(1, rel=1e-3)
    assert str(a) == "a agrees by -0.1 % (1.0 sigma)"
    assert not b.agrees
    assert b.sigmas == pytest.approx(45, rel=1e-3)


def test_pixels_and_calibration():
    (a,) = Expectation.parse("a=20px").compare(RESULT)
    assert a.agrees
    from dataclasses import replace

    (a,) = Expectation.parse("a=0.41").compare(RESULT)
    assert not a.agrees
    (a,) = Expectation.parse("a=0.41").compare(replace(RESULT, calibration_error=0.02))
    assert a.agrees


def test_without_scale_a_length_in_nanometres_agrees_with_nothing():
    from dataclasses import replace

    (a,) = Expectation.parse("a=0.4").compare(replace(RESULT, pixel_size=None))
    assert (a.found, a.agrees) == (None, False)
    assert str(a) == "a -, not 0.4"


@pytest.mark.parametrize("text", ["", "p5", "p4m p4", "a=", "a=-1", "a=1px b=2nm", "c=1", "a=1parsec", "a=1 a=2"])
def test_what_is_no_expectation(text):
    with pytest.raises(ValueError, match="expect must be a group"):
        Expectation.parse(text)


def test_plane_group_text():
    text = plane_group_text(RESULT, "my scan/1")
    assert "data_my_scan_1" in text
    assert "_cell_length_a               4.0000(40)" in text
    assert "_plane_group_IT_number       11" in text
    assert text.count("\n  '") == 8
    with pytest.raises(ValueError, match="refused"):
        plane_group_text(Prediction("no lattice"))


def test_a_refused_image_exports_what_there_is(tmp_path):
    assert export_answer(Prediction("no lattice"), tmp_path / "x") == []


def test_an_answer_without_its_cell_exports_the_text_alone(tmp_path):
    from dataclasses import replace

    bare = replace(RESULT, average=None, symmetrised=None)
    assert [file.name for file in export_answer(bare, tmp_path)] == ["cell.cif"]


def test_errors_reach_the_truth():
    """The borders of an image pull at its lattice by more than noise does; the errors say so."""
    y, x = np.mgrid[:256, :256] / 19.525
    image = sum(np.cos(2 * np.pi * (h * x + k * y)) for h, k in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)))
    k = SymmetryClassifier.from_pretrained("crystal").predict(image).constants
    for name in ("a", "b"):
        assert abs(k[name] - 19.525) < 3 * k[f"{name}_error"]
        assert k[f"{name}_error"] < 0.2


def test_errors_of_the_constants_are_those_of_the_conventional_cell():
    """The spread of the centred cell's constants when its primitive vectors are drawn with their errors."""
    lattice, error = np.array([[10.0, 10.0], [15.0, -15.0]]), np.array([[0.01, 0.03], [0.02, 0.01]])
    sums = np.array([[1.0, 1.0], [1.0, -1.0]])
    k = Prediction(None, {"cm": 1.0}, lattice=lattice, lattice_error=error, cell=lattice @ sums).constants
    assert (k["a"], k["b"], k["gamma"]) == pytest.approx((20, 30, 90))
    a, b = np.moveaxis((lattice + error * np.random.default_rng(0).standard_normal((20000, 2, 2))) @ sums, 2, 0)
    drawn = {"a": np.hypot(*a.T), "b": np.hypot(*b.T)}
    drawn["gamma"] = np.degrees(np.arccos((a * b).sum(1) / drawn["a"] / drawn["b"]))
    for name, values in drawn.items():
        assert k[f"{name}_error"] == pytest.approx(values.std(), rel=0.03)
