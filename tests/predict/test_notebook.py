"""An answer in a notebook, and the same with nbclient where it is installed."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from equisym.data import render
from equisym.predict import Prediction, SymmetryClassifier
from equisym.predict.overlay import show_scale_bar

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


@pytest.mark.parametrize(("width", "length"), [(200, 1), (199, 0.5), (399, 1), (400, 2), (1000, 5)])
def test_the_scale_bar_has_the_longest_round_length_up_to_a_quarter(width, length):
    axis = Figure().subplots()
    show_scale_bar(axis, (100, width), 0.02)
    left, right = axis.lines[0].get_xdata()
    assert axis.texts[0].get_text() == f"{length:g} nm"
    assert 0.02 * (right - left) == pytest.approx(length)


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
