"""Expand names and folders into a list of image files."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from equisym.data.readers.formats import is_image_name


def find_images(
    names: Iterable[str], unreadable: Callable[[OSError], object], *, outputs: Iterable[str] = ()
) -> list[str]:
    """Files as they were named, and folders replaced by all images below them, in order.

    A folder without images stays, so that it is named as what could not be answered.

    Args:
        names: of files and folders.
        unreadable: called for each folder that cannot be listed; the others are.
        outputs: folders inside that hold pictures of an earlier run, and are left out.
    """
    files: list[str] = []
    left_out = {Path(folder).resolve() for folder in outputs}
    for name in names:
        if os.path.isdir(name):  # noqa: PTH112 - a name that no file can have is one of no folder
            missed: list[OSError] = []
            found = sorted(_below(name, missed.append, left_out))
            for error in missed:
                unreadable(error)
            files += found or ([] if missed else [name])
        else:
            files.append(name)
    return files


def _below(folder: str, unreadable: Callable[[OSError], object], left_out: Collection[Path]) -> Iterator[str]:
    """Images in a folder and all folders inside; links to folders are not followed, hidden folders left out."""
    for here, inside, names in os.walk(folder, onerror=unreadable):
        inside[:] = [n for n in inside if not n.startswith(".") and (Path(here) / n).resolve() not in left_out]
        yield from (str(Path(here) / name) for name in names if is_image_name(name) and not name.startswith("."))


def distinct_stem(file: str, taken: dict[str, int]) -> str:
    """A file's name without folder and suffix, in safe characters, numbered if another file has the same.

    >>> taken = {}
    >>> distinct_stem("a/x.tif", taken), distinct_stem("b/x.tif#3", taken), distinct_stem("c/x.png", taken)
    ('x', 'x-3', 'x-2')
    """
    path, mark, part = file.partition("#")
    stem = Path(path).stem + (f"-{part}" if mark and not Path(file).exists() else "")
    stem = "".join(c if c.isalnum() or c in "-_.+ ()" else "_" for c in stem)[:120] or "image"
    name, number = stem, taken.get(stem, 1)
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    taken[stem] = number
    taken.setdefault(name, 1)
    return name
