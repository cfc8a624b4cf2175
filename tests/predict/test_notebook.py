"""An answer in a notebook, and the same with nbclient where it is installed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.ndimage import map_coordinates

from equisym.data import render
from equisym.predict import Prediction, SymmetryClassifier
from equisym.predict.overlay import draw_overlay, show_scale_bar
from equisym.predict.thumbnail import thumbnail

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
IMAGE = render("p4m", "noise", seed=1, size=128)[0].numpy()


def test_an_answer_shows_itself():
    result = CLASSIFIER.predict(IMAGE, pixel_size=0.02)
    text = result._repr_html_()
    assert ">p4m<" in text
    assert " nm<" in text
    assert text.count("data:image/png;base64,") == 2
    assert "<script" not in text
    assert len(result.plot(IMAGE).axes) == len(result.plot().axes) == 5


def test_without_its_image_the_averaged_cell_is_drawn_in_its_place():
    def drawn(answer):
        return np.asarray(answer.plot().axes[0].images[0].get_array())

    result = CLASSIFIER.predict(IMAGE)
    assert np.corrcoef(drawn(result).ravel(), IMAGE.ravel())[0, 1] > 0.95
    moved = drawn(replace(result, corner=result.corner + np.array([3, 5])))
    np.testing.assert_allclose(moved[5:, 3:], drawn(result)[:-5, :-3], atol=1e-3)


def test_the_cell_that_is_drawn_lies_in_the_image_where_its_origin_says():
    result = CLASSIFIER.predict(IMAGE)
    axis = next(a for a in draw_overlay(IMAGE, result).axes if a.images and np.ma.is_masked(a.images[0].get_array()))
    shown = axis.images[0].get_array()
    left, right, bottom, top = axis.images[0].get_extent()
    rows, columns = shown.shape
    x, y = np.meshgrid(np.linspace(left, right, columns), np.linspace(top, bottom, rows))
    at = result.origin + result.cell @ np.rint(np.linalg.solve(result.cell, 64 - result.origin))  # that in the middle
    there = map_coordinates(IMAGE.astype(float), [at[1] + y, at[0] + x], order=1, cval=np.nan)
    known = ~np.ma.getmaskarray(shown) & np.isfinite(there)
    assert known.mean() > 0.3
    assert np.corrcoef(there[known], shown.data[known])[0, 1] > 0.9


@pytest.mark.parametrize("scale", [1, 4])
def test_a_thumbnail_outlines_one_cell_on_all_four_sides(scale):
    side, cell, origin = 120 * scale, np.diag([40.0, 60.0]) * scale, np.array([30.0, 20.0]) * scale
    answer = SimpleNamespace(group="pmm", cell=cell, origin=origin, shape=(side, side), region=None, refused=None)
    picture = thumbnail(np.random.default_rng(0).random((side, side)), answer)
    picture = np.asarray(picture.resize((120, 120), Image.Resampling.NEAREST)).astype(int)
    yellow = (np.abs(picture - (240, 228, 66)) <= 1).all(-1)
    for x, y in ((50, 20), (70, 50), (50, 80), (30, 50)):
        assert yellow[y - 1 : y + 2, x - 1 : x + 2].any(), (x, y)
    assert not yellow[30:70, 40:60].any()


@pytest.mark.parametrize(("width", "length"), [(200, 1), (199, 0.5), (399, 1), (400, 2), (1000, 5)])
def test_the_scale_bar_has_the_longest_round_length_up_to_a_quarter(width, length):
    axis = Figure().subplots()
    show_scale_bar(axis, (100, width), 0.02)
    left, right = axis.lines[0].get_xdata()
    assert axis.texts[0].get_text() == f"{length:g} nm"
    assert 0.02 * (right - left) == pytest.approx(length)
    assert 0 < axis.texts[0].get_position()[1] < axis.lines[0].get_ydata()[0] < 100  # the text stands on the bar


def test_a_refusal_shows_its_reason_and_no_markup_of_others():
    assert "&lt;b&gt;" in Prediction("not <b> periodic")._repr_html_()
    assert "constant" in CLASSIFIER.predict(np.ones((40, 40)))._repr_html_()


def test_in_a_real_notebook(tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    np.save(tmp_path / "scan.npy", IMAGE)
    cells = [
        "from equisym import SymmetryClassifier\nclassifier = SymmetryClassifier.from_pretrained('crystal')",
        "result = classifier.predict('scan.npy', pixel_size=0.02)\nresult",
        "result.plot()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert ">p4m<" in outputs[0].data["text/html"]
    assert "image/png" in outputs[1].data
