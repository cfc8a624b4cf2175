"""Checksums of the files that a run leaves behind, so that damage is said and not read as a result."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from equisym.train.artifacts import write_whole

NAME = "checksums.json"
_MARK, _KEY = "# sha256 ", b"sha256 "
_COMMENT = len(_KEY) + 64  # bytes


def seal(folder: Path, *names: str, **texts: str) -> None:
    """Record the checksums of files of a folder.

    Args:
        folder: whose files these are.
        names: of files that are there.
        texts: contents of ``NAME.json`` files that are about to be written, so that none is ever there unsealed.
    """
    found = {name: _digest((folder / name).read_bytes()) for name in names}
    found |= {f"{name}.json": _digest(text.encode()) for name, text in texts.items()}
    write_whole(folder / NAME, json.dumps(_sealed(folder) | found, indent=2) + "\n")


def is_sealed(path: Path) -> bool:
    """Whether a file is there, and is the one whose checksum was recorded."""
    return path.is_file() and _sealed(path.parent).get(path.name) == _digest(path.read_bytes())


def check_sealed(path: Path) -> None:
    """Refuse a file that is not the one whose checksum was recorded; one without a record passes.

    Raises:
        ValueError: if it is damaged, or was changed.
    """
    recorded = _sealed(path.parent).get(path.name)
    if recorded is not None and recorded != _digest(path.read_bytes()):
        raise ValueError(f"{path} is damaged, or was changed: its checksum is not that of {NAME}; copy it back")


def add_checksum(archive: Path) -> None:
    """Write the checksum of a zip archive, such as a checkpoint, into the comment at its end.

    The sums that a zip archive has of its own leave out its headers and what lies between its entries.
    """
    data = archive.read_bytes()
    if data[-2:] != b"\0\0":
        raise ValueError(f"{archive} is no zip archive without a comment")
    with archive.open("r+b") as file:
        file.seek(-2, 2)
        file.write(_COMMENT.to_bytes(2, "little") + _KEY + _digest(data).encode())


def has_its_checksum(archive: Path) -> bool:
    """Whether the checksum in the comment of an archive is that of its contents; one without a comment passes."""
    data = archive.read_bytes()
    if data[-2:] == b"\0\0" and _KEY not in data[-_COMMENT:]:
        return True
    body, comment = data[: -_COMMENT - 2] + b"\0\0", data[-_COMMENT - 2 :]
    return comment == _COMMENT.to_bytes(2, "little") + _KEY + _digest(body).encode()


def with_checksum(text: str) -> str:
    """Text after a comment that holds its checksum."""
    return f"{_MARK}{_digest(text.encode())}\n{text}"


def is_intact(text: str) -> bool:
    """Whether text of :func:`with_checksum` is as it was written; text without a checksum counts as intact."""
    head, _, rest = text.partition("\n")
    return not head.startswith(_MARK) or head == f"{_MARK}{_digest(rest.encode())}"


def _sealed(folder: Path) -> dict[str, str]:
    file = folder / NAME
    if not file.is_file():
        return {}
    try:
        return dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        raise ValueError(f"{file} is damaged: copy it back, or remove it to go on without its checksums") from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
