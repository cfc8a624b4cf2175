"""An answer as files that other programs open: tif with scale, npy, and a CIF-like text of plane group and cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.crystal import tile
from equisym.predict.prediction import Prediction

_POINTS = 256  # along the longer side of a picture of the cell


def export_answer(result: Prediction, folder: str | Path, *, name: str = "image") -> list[Path]:
    """Write the averaged cell, and where a group was answered the symmetrised cell, image, and a text of the cell.

    ``*_cell.npy`` hold the primitive cell, row along lattice vector b and column along a; ``*_cell.tif`` the
    conventional cell and its surroundings in true shape; ``symmetrised_image`` the whole image. Every tif is 32 bit, as
    ImageJ writes it, with the size of a pixel if that is known.

    Args:
        result: the answer.
        folder: made if it is missing.
        name: of the data block in the text.

    Returns:
        The files written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for kind, cell in (("averaged", result.average), ("symmetrised", result.symmetrised)):
        if cell is not None and result.lattice is not None:
            written.append(_npy(folder / f"{kind}_cell.npy", cell))
            pixels, step = _true_shape(result, cell)
            size = None if result.pixel_size is None else result.pixel_size * step
            written.append(_tif(folder / f"{kind}_cell.tif", pixels, size))
    if result.group is not None and result.symmetrised is not None:
        image = result.symmetrised_image()
        written.append(_npy(folder / "symmetrised_image.npy", image))
        written.append(_tif(folder / "symmetrised_image.tif", image, result.pixel_size))
    if result.group is not None:
        text = folder / "cell.cif"
        text.write_text(plane_group_text(result, name), encoding="utf-8")
        written.append(text)
    return written


def plane_group_text(result: Prediction, name: str = "image") -> str:
    """The plane group, cell and operations in the form of a CIF.

    Lengths are in angstrom, or in pixels if no scale is known. There is no CIF of two dimensions: the items are those
    of three with the third axis left out.

    Raises:
        ValueError: if no group was answered.
    """
    group, k = result.wallpaper_group, result.constants
    if group is None:
        raise ValueError(f"there is no cell to write: refused ({result.refused})")
    from equisym.predict.table import with_error

    scaled = "a_nm" in k
    lengths = {n: [(10 if scaled else 1) * k[f"{n}{'_nm' if scaled else ''}{e}"] for e in ("", "_error")] for n in "ab"}
    block = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)[:70] or "image"
    lines = [
        f"# plane group by equisym, probability {result.probabilities[group.name]:.3f}",
        f"# lengths in {'angstrom' if scaled else 'pixels: the size of a pixel is not known'}",
        f"data_{block}",
        f"_plane_group_name            '{group.name}'",
        f"_plane_group_IT_number       {group.number}",
        f"_plane_group_crystal_family  {group.family}",
        f"_cell_length_a               {with_error(*lengths['a'])}",
        f"_cell_length_b               {with_error(*lengths['b'])}",
        f"_cell_angle_gamma            {with_error(k['gamma'], k['gamma_error'])}",
        "loop_",
        "_plane_group_symop_operation_xy",
        *(f"  '{op}'" for op in group.operations),
    ]
    return "\n".join(lines) + "\n"


def _true_shape(result: Prediction, cell: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The conventional cell and its surroundings, and the step from pixel to pixel in pixels of the image."""
    assert result.lattice is not None
    base = result.lattice if result.cell is None else result.cell
    origin = result.corner if result.origin is None else result.origin
    corners = base @ np.array([(0, 1, 1, 0), (0, 0, 1, 1)])
    low, high = corners.min(1), corners.max(1)
    step = float((high - low).max() / _POINTS)
    x, y = np.meshgrid(*(np.arange(low[i], high[i], step) for i in range(2)))
    start = origin - result.corner
    return tile(cell, result.lattice, x + start[0], y + start[1]), step


def _npy(path: Path, array: NDArray[Any]) -> Path:
    np.save(path, array)
    return path


def _tif(path: Path, pixels: NDArray[np.float32], size: float | None) -> Path:
    import tifffile

    scale: dict[str, Any] = {}
    if size is not None:
        scale = {"resolution": (1 / size, 1 / size), "metadata": {"unit": "nm"}}
    tifffile.imwrite(path, np.asarray(pixels, np.float32), imagej=True, **scale)
    return path
