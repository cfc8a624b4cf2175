"""Blocks of images, the units in which files are written: drawn from the seed, put in place by one renaming."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from equisym.data.dataset import WallpaperDataset
from equisym.data.published import compress, pixels_of, record


@dataclass(frozen=True)
class Block:
    """Images first..last-1 of a family, drawn and stored together."""

    family: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """Name of its file, without the suffix; it sorts in the order of the images."""
        return f"{self.family}-{self.first:09d}"


def shard_of_environment() -> tuple[int, int]:
    """(rank, world size) as torchrun or SLURM set them; (0, 1) for a single process."""
    for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
        found = os.environ.get(rank), os.environ.get(world)
        if found[0] is not None and found[1] is not None:
            if not (found[0].isdigit() and found[1].isdigit()):
                raise ValueError(
                    f"{rank} and {world} must be numbers (got {found[0]!r}, {found[1]!r}): give --shard i/n"
                )
            return int(found[0]), int(found[1])
    return 0, 1


def blocks_of(families: tuple[str, ...], count: int, size: int, shard: tuple[int, int]) -> list[Block]:
    """The blocks of one shard. All shards together hold the same blocks, whatever their number.

    Args:
        families: the families, ``count`` images each.
        count: images of a family.
        size: images of a block.
        shard: (i, n): the i-th of n consecutive parts of each family's blocks.
    """
    starts = range(0, count, size)
    first, last = (k * len(starts) // shard[1] for k in (shard[0], shard[0] + 1))
    return [Block(f, k, min(k + size, count)) for f in families for k in starts[first:last]]


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name and rename it once it is complete and on disk."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partial(folder: Path, names: set[str]) -> None:
    """Remove the partial files that killed runs left of the named files, and of no other shard."""
    for partial in folder.glob(".*.partial"):
        if partial.name[1:].rsplit(".", 2)[0] in names:
            partial.unlink(missing_ok=True)


def checksum(data: bytes) -> str:
    """What the owner's name of an entry of our tar files says: the CRC of its contents."""
    return f"crc32-{zlib.crc32(data):08x}"


def is_whole(path: Path, images: int) -> bool:
    """Whether a block's file holds so many images, and every checksum in it holds."""
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None and {"chunks.npy", "lengths.npy"} <= set(archive.namelist())
        with tarfile.open(path, "r:") as tar:
            found = 0
            for entry in tar:
                data = tar.extractfile(entry).read()  # pyright: ignore[reportOptionalMemberAccess]
                if entry.uname not in ("", checksum(data)) or len(data) < entry.size:
                    return False
                found += entry.name.endswith(".png")
            return found == images
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error, tarfile.TarError):
        return False


class Blocks(Dataset["int | Exception"]):
    """Block k, drawn and written on access; the item is the number of its images.

    Errors are returned as items: a data loader would hide them in the worker's traceback.
    """

    def __init__(self, blocks: list[Block], datasets: dict[str, WallpaperDataset], folder: Path, schema: str | None):
        self.blocks, self.datasets, self.folder, self.schema = blocks, datasets, folder, schema

    def path(self, block: Block) -> Path:
        return self.folder / f"{block.name}.{'npz' if self.schema else 'tar'}"

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, k: int) -> int | Exception:
        block = self.blocks[k]
        write = self._write_part if self.schema else self._write_tar
        try:
            write_atomically(self.path(block), lambda partial: write(block, partial))
        except (ValueError, OSError) as error:
            return error
        return block.last - block.first

    def _write_part(self, block: Block, path: Path) -> None:
        assert self.schema is not None
        dataset = self.datasets[block.family]
        records, chunks = [], []
        for index in range(block.first, block.last):
            pattern = dataset.pattern(index)
            chunks.append(compress(pixels_of(pattern.image(dataset.size))))
            records.append(record(pattern, self.schema))
        columns = {name: np.stack([r[name] for r in records]) for name in records[0]}
        lengths = np.array([len(c) for c in chunks])
        with path.open("wb") as file:
            arrays = columns | {"chunks": np.frombuffer(b"".join(chunks), np.uint8), "lengths": lengths}
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType] - no column is named allow_pickle

    def _write_tar(self, block: Block, path: Path) -> None:
        from PIL import Image

        dataset = self.datasets[block.family]
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for index in range(block.first, block.last):
                pattern = dataset.pattern(index)
                pixels = pixels_of(pattern.image(dataset.size))
                picture = io.BytesIO()
                Image.fromarray(pixels if dataset.options.colour else pixels[..., 0]).save(picture, "PNG")
                about = {
                    "group": pattern.group.name,
                    "family": block.family,
                    "index": index,
                    "metric": pattern.cell.metric,
                    "basis": pattern.cell.basis.tolist(),
                    "origin": pattern.cell.origin.tolist(),
                }
                for suffix, data in (
                    ("png", picture.getvalue()),
                    ("cls", str(pattern.group.label).encode()),
                    ("json", json.dumps(about).encode()),
                ):
                    entry = tarfile.TarInfo(f"{block.family}-{index:09d}.{suffix}")
                    entry.size, entry.uname = len(data), checksum(data)  # a header has a checksum of its own
                    tar.addfile(entry, io.BytesIO(data))
