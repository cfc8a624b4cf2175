"""Predicting needs what requirements/predict.txt lists, and nothing else of what the package depends on."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image

from equisym.data import render

ROOT = Path(__file__).parents[2]
MODULES = {
    "scikit-learn": "sklearn",
    "scikit-image": "skimage",
    "pillow": "PIL",
    "docstring-parser": "docstring_parser",
    "pyyaml": "yaml",
}


def requirements(lines) -> dict[str, str]:
    found = (re.fullmatch(r"([\w-]+)(.*)", line.strip()) for line in lines if line.strip() and not line.startswith("#"))
    return {match[1].lower(): match[2] for match in found if match}


def test_floors_are_those_of_the_package_and_commands_run_without_the_rest(tmp_path):
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    everything = requirements(about["project"]["dependencies"])
    light = requirements((ROOT / "requirements" / "predict.txt").read_text().splitlines())
    assert light.items() <= everything.items()
    absent = [MODULES.get(name, name) for name in everything if name not in light]
    assert {"lightning", "timm", "sklearn", "h5py", "torchvision", "torchmetrics"} <= set(absent)
    np.save(tmp_path / "a.npy", render("p4m", "atom", seed=1, size=96)[0].numpy())
    Image.fromarray(np.uint8(255 * render("p6m", "atom", seed=2, size=96)[0].numpy())).save(tmp_path / "b.tif")
    code = (
        f"import sys\nfor name in {absent}: sys.modules[name] = None\nfrom equisym.predict.command import main\nmain()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), "--overlay", str(tmp_path / "pictures")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.strip().splitlines()[1:]]
    assert rows == ["p4m", "p6m"]
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"a.png", "b.png"}
    (tmp_path / "c.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    done = subprocess.run([*command[:3], str(tmp_path / "c.h5")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    words = "h5 files need the package h5py, which is not installed: pip install h5py"
    assert done.stderr == f"equisym-predict: {tmp_path / 'c.h5'}: {words}\n"
