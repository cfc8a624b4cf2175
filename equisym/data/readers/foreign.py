"""Further formats through rosettasciio, where the user has installed it.

RosettaSciIO is under the GPL. equisym does not depend on it or distribute it, and imports it only to read such a file.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.data.readers.signal import ReadError, Signal
from equisym.data.readers.units import is_reciprocal, nanometres, pixel_size


def signals(file: Path, stack: ExitStack) -> list[Signal]:
    """The signals that rosettasciio finds in a file, loaded lazily where possible."""
    del stack
    plugins = importlib.import_module("rsciio").IO_PLUGINS
    kind = file.suffix.lower()[1:]
    fitting = [p for p in plugins if kind in {str(e).lower() for e in p["file_extensions"]}]
    errors = []
    for plugin in fitting:
        read = importlib.import_module(plugin["api"]).file_reader
        for options in ({"lazy": True}, {}):
            try:
                return [_signal(found, i) for i, found in enumerate(read(str(file), **options))]
            except Exception as error:  # its parsers may raise any exception
                errors.append(f"{plugin['name']}: {error}")
    raise ReadError(f"not read by rosettasciio ({'; '.join(errors)[:200]})")


def _signal(found: dict[str, Any], number: int) -> Signal:
    data, axes = found["data"], sorted(found["axes"], key=lambda a: a.get("index_in_array", 0))
    title = str(found.get("metadata", {}).get("General", {}).get("title", ""))
    dtype = data.dtype
    samples = () if dtype.fields is None else tuple(dtype.fields)
    places = [i for i, a in enumerate(axes) if not a.get("navigate", False)][-2:]
    if len(places) < 2:
        places = list(range(len(axes)))[-2:]
    stack = iter("tzcuvwpq")
    letters = "".join({0: "y", 1: "x"}[places.index(i)] if i in places else next(stack) for i in range(len(axes)))
    sides = [nanometres(axes[i].get("scale"), axes[i].get("units")) for i in places]

    def load(index: tuple[int, ...]) -> NDArray:
        given = iter(index)
        image = np.asarray(data[tuple(slice(None) if i in places else next(given) for i in range(len(axes)))])
        return np.stack([image[name] for name in samples], -1) if samples else image

    shape = tuple(data.shape)
    if dtype.fields is not None:
        letters, shape, dtype = letters + "s", (*shape, len(samples)), dtype[samples[0]]  # pyright: ignore[reportGeneralTypeIssues]
    size = pixel_size(*sides) if len(sides) == 2 else None
    reciprocal = any(is_reciprocal(axes[i].get("units")) for i in places)
    return Signal(title or str(number), letters, shape, dtype, load, size, reciprocal=reciprocal)
