"""Our layers against escnn and e2cnn, which live in an environment of their own (tests/parity/make_env.sh)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENV = Path(os.environ.get("EQUISYM_PARITY_ENV", Path(tempfile.gettempdir()) / "equisym-parity"))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    python = ENV / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no parity environment at {ENV}: bash tests/parity/make_env.sh makes it (network, gfortran)")
    out = tmp_path_factory.mktemp("parity") / "found.json"
    run = subprocess.run(
        [python, HERE / "oracle.py", out],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(out.read_text())


def test_every_pair_of_irreps_has_their_space(found):
    assert int(found["spans"]["pairs"][0]) > 800
    assert found["spans"]["wrong"] == []


@pytest.mark.parametrize("library", ["escnn", "e2cnn"])
def test_imported_models_answer_as_theirs(found, library):
    errors = {name: value for name, value in found["imports"].items() if name.startswith(library)}
    assert len(errors) == 10
    assert all(value < 5e-6 for value in errors.values()), errors


@pytest.mark.parametrize("library", ["escnn", "e2cnn"])
def test_every_kind_of_layer_is_imported(found, library):
    errors = {name: value for name, value in found["kinds"]["errors"].items() if name.startswith(library)}
    assert len(errors) == {"escnn": 88, "e2cnn": 71}[library]
    assert {name: value for name, value in errors.items() if not value < 1e-5} == {}


def test_imported_convolutions_stay_equivariant_when_tuned(found):
    assert len(found["kinds"]["tuned"]) > 40
    assert {name: value for name, value in found["kinds"]["tuned"].items() if not value < 1e-10} == {}


@pytest.mark.parametrize("library", ["escnn", "e2cnn"])
def test_whole_models_are_imported(found, library):
    errors = {name: value for name, value in found["networks"].items() if name.startswith(library)}
    assert len(errors) == 9
    assert {name: value for name, value in errors.items() if not value < 1e-5} == {}


@pytest.mark.parametrize("library", ["escnn", "e2cnn"])
def test_what_cannot_be_imported_is_named(found, library):
    assert found["refusals"][library] == [
        "cannot import VectorFieldNonLinearity: build that part with equisym.nn and import the others",
        "cannot import BranchingModule: build that part with equisym.nn and import the others",
        "cannot import a gated non-linearity that keeps its gates: set drop_gates=True",
    ]


def test_our_weights_fit_their_layer(found):
    assert {name: value for name, value in found["back"].items() if "free weights" in name and value != 0} == {}
    assert all(value < 5e-6 for value in found["back"].values()), found["back"]


def test_importing_our_layers_needs_neither(tmp_path):
    heavy = "'escnn', 'e2cnn', 'timm', 'lightning', 'matplotlib'"
    code = f"import sys, equisym.nn; print(sorted({{{heavy}}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert run.stdout.strip() == "[]"
