"""Images with an answer, and a whole file of every format that is read."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

ROOT = Path(__file__).parents[2]
GOOD = ("p4m", "p6m", "pmm", "p4g")  # images that must be answered whatever stands beside them


def good(folder: Path) -> None:
    """Images with an answer, which neighbours must not cost."""
    from equisym.data import render

    for k, group in enumerate(GOOD):
        np.save(folder / f"good-{k}-{group}.npy", render(group, "atom", seed=3 + k, size=128)[0].numpy())


def whole_files(folder: Path) -> dict[str, bytes]:
    """A whole file of every format, by name."""
    writers = instrument_files()
    names = {
        "png": "png", "jpg": "jpg", "npz": "npz", "npy": "npy", "plain_hdf5": "h5", "hyperspy": "hspy", "velox": "emd",
        "berkeley": "emd", "mrc": "mrc", "mrc_extended": "mrc", "imagej": "tif", "imagej_hyperstack": "tif",
        "ome": "tif", "fei": "tif", "zeiss": "tif", "digital_micrograph_tif": "tif", "tvips": "tif", "olympus": "tif",
        "palette": "tif", "dm4": "dm4", "dm4_stack": "dm4", "tia": "ser", "nanonis": "sxm", "gwyddion": "gwy",
        "igor": "ibw", "rhk": "sm4", "blockfile": "blo",
    }  # fmt: skip
    made = {}
    for name, suffix in names.items():
        writer = getattr(writers, name, None)
        if writer is None:
            continue
        path = folder / f"{name}.{suffix}"
        writer(path)
        made[path.name] = path.read_bytes()
        path.unlink()
    return made


def instrument_files() -> ModuleType:
    """The writers of the tests."""
    spec = importlib.util.spec_from_file_location("instrument_files", ROOT / "tests" / "data" / "instrument_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
