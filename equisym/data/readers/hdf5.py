"""HDF5: Velox and Berkeley emd, HyperSpy, and files with plain datasets. Nothing outside the file is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.signal import NotReadableError, ReadError, Signal, from_array, guess_axes
from equisym.data.readers.units import PixelSize, is_reciprocal, nanometres, pixel_size

_MOST, _DEEPEST = 20_000, 32  # most objects that are examined, and levels of groups
_ABOUT = 2**22  # bytes of metadata that are read


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The images of an HDF5 file, by the layout that is found in it."""
    handle = stack.enter_context(h5py.File(file, "r"))
    for layout in (_velox, _berkeley, _hyperspy, _plain):
        found = layout(handle)
        if found:
            return found
    return []


def _velox(handle: h5py.File) -> list[Signal]:
    """Images of Velox: (H, W, frames), each with a detector's name and a scale in its metadata."""
    found = []
    for key, group, data in _members(handle, "Data/Image", "Data"):
        about = _velox_metadata(group)
        result = about.get("BinaryResult", {})
        sides = [
            nanometres(result.get("PixelSize", {}).get(k), result.get(f"PixelUnit{a}", ""))
            for k, a in (("height", "Y"), ("width", "X"))
        ]
        name = str(result.get("Detector") or key).removeprefix("BM-")
        name += f" {sum(s.name.startswith(name) for s in found) + 1}" if name in {s.name for s in found} else ""
        signal = _signal(name, data, "yxt" if data.ndim == 3 else None, pixel_size(*sides))
        found.append(replace(signal, reciprocal=is_reciprocal(result.get("PixelUnitX", ""))))
    return found


def _velox_metadata(group: h5py.Group) -> dict[str, Any]:
    item = _inside(group, "Metadata", h5py.Dataset)
    if item is None or item.ndim != 2 or item.dtype != np.uint8 or item.shape[0] > _ABOUT or _not_inside(item):
        return {}
    text = bytes(item[:, 0]).split(b"\0", 1)[0]
    try:
        about = json.loads(text)
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _berkeley(handle: h5py.File) -> list[Signal]:
    """Groups of the emd format, whose axes are datasets ``dim1``, ``dim2``... with units such as ``[n_m]``."""
    found = []
    for name, group in _items(handle, h5py.Group):
        if not np.array_equal(_attribute(group, "emd_group_type"), 1):
            continue
        data = _inside(group, "data", h5py.Dataset)
        if data is None:
            continue
        first = 0 if "dim0" in group else 1
        about = [_inside(group, f"dim{first + axis}", h5py.Dataset) for axis in range(data.ndim)]
        sides = [_berkeley_side(item) for item in about]
        axes = _berkeley_axes(about, sides) if data.ndim > 1 else "t"
        size = pixel_size(*(sides[axes.index(a)] for a in "yx")) if data.ndim > 1 else None
        signal = _signal(name.rpartition("/")[2], data, axes, size)
        units = [
            _attribute(item, "units") for item, a in zip(about, axes, strict=False) if item is not None and a in "yx"
        ]
        found.append(replace(signal, reciprocal=any(map(is_reciprocal, units))))
    return found


def _berkeley_side(item: h5py.Dataset | None) -> float | None:
    if item is None or (item.size or 0) < 2 or item.ndim != 1 or item.dtype.kind not in "iuf" or _not_inside(item):
        return None
    return nanometres(abs(float(item[1]) - float(item[0])), _attribute(item, "units"))


def _berkeley_axes(about: list[h5py.Dataset | None], sides: list[float | None]) -> str:
    """Axes by their names; without names the last two that are lengths; without lengths the last two."""
    names = [str(_attribute(item, "name") or "").strip().lower() for item in about]
    lengths = [i for i, side in enumerate(sides) if side is not None]
    if names.count("y") == names.count("x") == 1:
        y, x = names.index("y"), names.index("x")
    else:
        y, x = lengths[-2:] if len(lengths) > 1 else range(len(about))[-2:]
    return _stacked({y: "y", x: "x"}, len(about))


def _stacked(images: dict[int, str], count: int) -> str:
    """Letters for all axes, if these are of the images and the others count them."""
    letters = iter("tzcuvwpq")
    return "".join(images[i] if i in images else next(letters) for i in range(count))


def _hyperspy(handle: h5py.File) -> list[Signal]:
    """Experiments of HyperSpy, with a group ``axis-N`` for each axis."""
    found = []
    for name, group, data in _members(handle, "Experiments", "data"):
        about = [_inside(group, f"axis-{i}") for i in range(data.ndim)]
        navigate = [i for i, axis in enumerate(about) if axis is not None and _attribute(axis, "navigate")]
        images = [i for i in range(data.ndim) if i not in navigate][-2:]
        if len(images) < 2 and len(navigate) == 2:  # a spectrum or a value at each point of a scan: a map of each
            images = navigate
        if len(images) < 2:
            found.append(_signal(name, data, "tzcuvwpq"[: data.ndim], None))
            continue
        axes = _stacked(dict(zip(images, "yx", strict=True)), data.ndim)
        signal = _signal(name, data, axes, pixel_size(*(_hyperspy_side(about[i]) for i in images)))
        units = [_attribute(axis, "units") for i in images if (axis := about[i]) is not None]
        found.append(replace(signal, reciprocal=any(map(is_reciprocal, units))))
    return found


def _hyperspy_side(group: h5py.Group | None) -> float | None:
    if group is None:
        return None
    return nanometres(abs(float(_attribute(group, "scale") or 0)), _attribute(group, "units"))


def _plain(handle: h5py.File) -> list[Signal]:
    """Datasets that may be images, with the attributes ``pixel_size`` (one number or y, x) and ``pixel_unit``."""
    found = []
    for name, item in _items(handle, h5py.Dataset):
        if item.ndim < 2 or item.dtype.kind not in "biufc" or max(item.shape) < 5:
            continue
        size = _attribute(item, "pixel_size", item.parent)
        unit = _attribute(item, "pixel_unit", item.parent) or _attribute(item, "unit", item.parent) or "nm"
        values = [] if size is None else np.ravel(size)
        sides = [nanometres(values[i], unit) for i in (0, -1)] if 0 < len(values) < 3 else (None, None)
        found.append(_signal(name, item, None, pixel_size(*sides)))
    return found


def _signal(name: str, item: h5py.Dataset, axes: str | None, size: PixelSize | None) -> Signal:
    """A dataset as a signal; data stored outside of the file is refused when it is chosen."""
    shape = tuple(int(n) for n in item.shape)
    axes, dtype = axes or guess_axes(shape), item.dtype
    chunk = int(np.prod(item.chunks, dtype=object)) * dtype.itemsize if item.chunks else 0
    load = from_array(name, item, axes, size, chunk).load
    colours = dtype.names or ()
    if colours[:3] == ("R", "G", "B"):  # as HyperSpy stores them
        axes, shape, dtype = axes + "s", (*shape, len(colours)), dtype[0]
        one = load
        load = lambda index: np.stack([one(index)[c] for c in colours], -1)  # noqa: E731
    return Signal(name, axes, shape, dtype, _guarded(item, load), size, chunk)


def _guarded(item: h5py.Dataset, load: Callable[[tuple[int, ...]], NDArray]) -> Callable[[tuple[int, ...]], NDArray]:
    def read(index: tuple[int, ...]) -> NDArray:
        outside = _not_inside(item)
        if outside:
            raise ReadError(outside)
        try:
            return load(index)
        except OSError as error:
            if "filter" in str(error):
                raise NotReadableError(f"is compressed by a filter that is not installed ({error})") from None
            raise

    return read


def _not_inside(item: h5py.Dataset) -> str | None:
    """Why a dataset's values are not all in this file, or ``None``."""
    if item.external or item.is_virtual:
        return f"{item.name} keeps its values in other files, which are not opened"
    return None


def _items(handle: h5py.File, kind: type) -> Iterator[tuple[str, Any]]:
    """Objects of a kind by name, each once, without following soft or external links."""
    seen: set[int] = set()

    def below(group: h5py.Group, above: str, depth: int) -> Iterator[tuple[str, Any]]:
        if depth > _DEEPEST:
            raise ReadError(f"holds groups within groups, more than {_DEEPEST} deep")
        for step in map(str, group):
            if not isinstance(group.get(step, getlink=True), h5py.HardLink):
                continue
            item = group[step]
            place = h5py.h5o.get_info(item.id).addr  # pyright: ignore[reportAttributeAccessIssue]
            if place in seen:
                continue
            seen.add(place)
            if len(seen) > _MOST:
                raise ReadError(f"holds more than {_MOST} objects")
            if isinstance(item, kind):
                yield above + step, item
            if isinstance(item, h5py.Group):
                yield from below(item, f"{above}{step}/", depth + 1)

    yield from below(handle, "", 0)


def _members(handle: h5py.File, place: str, inner: str) -> Iterator[tuple[str, Any, h5py.Dataset]]:
    """The groups at a place that hold a dataset of a name: their names, they, and the dataset."""
    above = _inside(handle, place)
    if above is None:
        return
    for name in above:
        data = _inside(above, f"{name}/{inner}", h5py.Dataset)
        if data is not None:
            yield name, above[name], data


def _inside(group: h5py.Group, name: str, kind: type = h5py.Group) -> Any:
    """What a path of hard links leads to, if it is of a kind; otherwise ``None``."""
    here: Any = group
    for step in name.split("/"):
        if not isinstance(here, h5py.Group) or not isinstance(here.get(step, getlink=True), h5py.HardLink):
            return None
        here = here[step]
    return here if isinstance(here, kind) else None


def _attribute(item: Any, name: str, above: Any = None) -> Any:
    """A small attribute of an object, or else of the one above it."""
    for holder in (item, above):
        if holder is not None and name in holder.attrs:
            found = holder.attrs.get_id(name)
            if int(np.prod(found.shape, dtype=object)) <= 64:
                value = holder.attrs[name]
                return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return None
