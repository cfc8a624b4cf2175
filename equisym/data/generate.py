"""Write images to files, block by block.

After a kill at any moment the next run finds only complete blocks, draws the missing ones, and ends with the same
files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader

from equisym.data.dataset import WallpaperDataset
from equisym.data.image_blocks import Blocks, blocks_of, is_whole, remove_partial, write_atomically
from equisym.data.published import COMPRESSION, GROUP_OF_FAMILY, SCHEMAS, SHAPES, open_hdf5
from equisym.groups import WALLPAPER_GROUPS


def generate(
    out: Path,
    datasets: dict[str, WallpaperDataset],
    *,
    file_format: str,
    shard: tuple[int, int] = (0, 1),
    schema: str = "v4",
    block: int = 510,
    workers: int = 0,
    progress: bool = True,
) -> list[Path]:
    """Write datasets to files. Run it again after an interruption and it continues.

    Args:
        out: for hdf5 a file (``.h5`` or ``.hdf5``) or a folder for ``data.h5``, with the shard in the file's name when
            there are several; for webdataset a folder of tar files.
        datasets: one dataset for each family, of equal lengths.
        file_format: hdf5 or webdataset.
        shard: (i, n) to write the i-th of n shards.
        schema: v4 or v5, of HDF5 files.
        block: images drawn and stored at once; the images of a tar file.
        workers: processes; 0 draws in this one.
        progress: show a bar with images per second and the time left.

    Returns:
        The files of this shard.

    Raises:
        ValueError: if ``out`` holds something else already, or an argument is out of its range.
    """
    from tqdm.auto import tqdm

    if file_format not in ("hdf5", "webdataset"):
        raise ValueError(f"format must be hdf5 or webdataset (got {file_format!r})")
    if schema not in SCHEMAS:
        raise ValueError(f"schema must be one of {', '.join(SCHEMAS)} (got {schema!r})")
    if not 0 <= shard[0] < shard[1]:
        raise ValueError(f"shard must be i/n with 0 <= i < n (got {shard[0]}/{shard[1]}): write 0/4 .. 3/4, say")
    if block < 1:
        raise ValueError(f"block must be at least 1 (got {block})")
    first = next(iter(datasets.values()))
    hdf5 = file_format == "hdf5"
    origin = _provenance(datasets) | ({"schema": schema} if hdf5 else {"block": block})
    blocks = blocks_of(tuple(datasets), len(first), block, shard)
    target = _hdf5_path(out, shard) if hdf5 else out
    folder = target.with_name(target.name + ".parts") if hdf5 else out
    if folder.is_file():
        raise ValueError(f"out must be a folder for webdataset (got the file {out}): give another name")
    if hdf5 and target.exists():
        _require_same(json.loads(_hdf5_origin(target)), origin | {"shard": list(shard)}, target)
        shutil.rmtree(folder, ignore_errors=True)  # killed between the renaming and this
        return [target]
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.json"
    told = origin | ({"shard": list(shard), "block": block} if hdf5 else {})
    if manifest.exists():
        _require_same(json.loads(manifest.read_text()), told, out)
    elif not hdf5 and any(folder.glob("*.tar")):
        raise ValueError(f"{out} holds tar files of unknown origin: give an empty folder")
    else:
        write_atomically(manifest, lambda path: path.write_text(json.dumps(told, indent=1)))
    work = Blocks(blocks, datasets, folder, schema if hdf5 else None)
    missing = []
    for b in blocks:
        there = work.path(b).exists()
        if there and is_whole(work.path(b), b.last - b.first):
            continue
        missing.append(b)
        if there:
            warnings.warn(f"{work.path(b)} is damaged: its images are drawn again", stacklevel=2)
    total = sum(b.last - b.first for b in blocks)
    bar = tqdm(
        total=total, initial=total - sum(b.last - b.first for b in missing), unit=" images", disable=not progress
    )
    todo = Blocks(missing, datasets, folder, work.schema)
    with bar:
        for written in DataLoader(todo, batch_size=None, num_workers=min(workers, len(missing)), in_order=False):
            if isinstance(written, Exception):
                raise written
            bar.update(int(written))
    if not hdf5:
        files = [work.path(b) for b in blocks]
        remove_partial(folder, {manifest.name, *(f.name for f in files)})
        return files
    write_atomically(target, lambda path: _assemble(path, work, origin | {"shard": list(shard)}))
    remove_partial(target.parent, {target.name})
    shutil.rmtree(folder, ignore_errors=True)
    return [target]


def _provenance(datasets: dict[str, WallpaperDataset]) -> dict:
    first = next(iter(datasets.values()))
    photo = datasets.get("photo", first)  # its options name the photographs
    return photo.provenance() | {"families": list(datasets)}


def _require_same(found: dict, wanted: dict, out: Path) -> None:
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ValueError(
                f"{out} was started with {name} {found.get(name)!r} (now {value!r}): repeat those options to continue, "
                "or another place"
            )


def _hdf5_path(out: Path, shard: tuple[int, int]) -> Path:
    import h5py  # noqa: F401 - missed now rather than when all images are drawn

    if out.is_file() and out.suffix not in (".h5", ".hdf5"):
        raise ValueError(f"out must be a folder, or a file that ends in .h5 (got the file {out}): give another name")
    path = out if out.suffix in (".h5", ".hdf5") else out / "data.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path if shard[1] == 1 else path.with_name(f"{path.stem}-{shard[0]:05d}-of-{shard[1]:05d}{path.suffix}")


def _hdf5_origin(path: Path) -> str:
    with open_hdf5(path) as file:
        if "provenance" not in file.attrs:
            raise ValueError(f"{path} exists and was not written by equisym-generate: give another place")
        return str(file.attrs["provenance"])


def _assemble(path: Path, work: Blocks, origin: dict) -> None:
    """Merge the parts into one file; compressed chunks are copied as they are."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["provenance"] = json.dumps(origin)
        for family in work.datasets:
            blocks = [b for b in work.blocks if b.family == family]
            count, size = sum(b.last - b.first for b in blocks), work.datasets[family].size
            group = file.create_group(GROUP_OF_FAMILY[family])
            group.attrs["label_names"] = WALLPAPER_GROUPS.names
            group.attrs["shape_names"] = SHAPES
            shape, chunk = (count, size, size, 3), (1, size, size, 3)
            level = {"compression": "gzip", "compression_opts": COMPRESSION}
            data = group.create_dataset("data", shape, "u1", **({"chunks": chunk} | level if count else {}))
            schema = SCHEMAS[work.schema or "v4"]
            columns: dict[str, list[np.ndarray]] = {name: [] for name in schema}
            index = 0
            for block in blocks:
                with np.load(work.path(block)) as part:
                    arrays = {name: part[name] for name in part.files}
                ends = np.cumsum(arrays["lengths"])
                for first, last in zip(ends - arrays["lengths"], ends, strict=True):
                    data.id.write_direct_chunk((index, 0, 0, 0), arrays["chunks"][first:last].tobytes())
                    index += 1
                for name, column in columns.items():
                    column.append(arrays[name])
            for name, (dtype, tail) in schema.items():
                empty = np.empty((0, *tail), dtype)
                group.create_dataset(name, data=np.concatenate([empty, *columns[name]]))
            group.attrs["labels_sha256"] = hashlib.sha256(np.asarray(group["labels"]).tobytes()).hexdigest()
