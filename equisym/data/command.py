"""The command ``equisym-generate``."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from equisym.command_line import run_command


@dataclass(frozen=True)
class GenerateConfig:
    """Write images of the 17 wallpaper groups to files. Run it again after an interruption and it continues.

    Attributes:
        out: HDF5 file (.h5) or folder; a folder for webdataset.
        family: noise, photo, atom or all; several separated by commas.
        count: images of each family, the 17 groups in turn.
        size: side of the images in pixels.
        seed: the same seed gives the same images.
        format: hdf5 (the published layout) or webdataset (tar files of png, cls and json).
        schema: published version of the HDF5 layout, v4 or v5.
        photos: folder of photographs for the photo family, nested folders included; the bundled ones if not given.
        split: train, valid or test: different images and different photographs.
        preset: poster for the published distributions.
        colour: three channels instead of grey; HDF5 files always hold three.
        margin: the label guard's margin, 0 to 1.
        shard: write the i-th of n shards, as i/n counted from 0; by default the rank of torchrun or SLURM.
        block: images drawn and stored together, the most that a killed run loses; also the images in one tar file.
        workers: processes; -1 for one per core, 0 to draw in this one.
        check: write nothing; read every image of the HDF5 file OUT and report blank images and wrong labels.
    """

    out: Path
    family: str = "noise"
    count: int = 1700
    size: int = 256
    seed: int = 0
    format: str = "hdf5"
    schema: str = "v4"
    photos: Path | None = None
    split: str = "train"
    preset: str | None = None
    colour: bool = False
    margin: float = 0.1
    shard: str | None = None
    block: int = 510
    workers: int = -1
    check: bool = False


def main() -> None:
    """Write generated images to files."""
    run_command(GenerateConfig, _generate, prog="equisym-generate", positional=("out",))


def _generate(config: GenerateConfig) -> None:
    if config.check:
        _check(config.out)
        return
    from equisym.data.dataset import WallpaperDataset, worker_count
    from equisym.data.generate import generate
    from equisym.data.image_blocks import shard_of_environment
    from equisym.data.pattern import FAMILIES

    families = FAMILIES if config.family == "all" else tuple(config.family.split(","))
    datasets = {
        family: WallpaperDataset(
            family,
            config.count,
            size=config.size,
            seed=config.seed,
            split=config.split,
            photos=None if config.photos is None else config.photos.resolve(),
            colour=config.colour or config.preset == "poster",
            margin=config.margin,
            preset=config.preset,
        )
        for family in families
    }
    for dataset in datasets.values():
        dataset.pattern(0)  # check the options before anything is written
    shard = shard_of_environment() if config.shard is None else _shard(config.shard)
    if shard[1] > 1:
        print(f"equisym-generate: shard {shard[0]} of {shard[1]}, counted from 0", file=sys.stderr)
    files = generate(
        config.out,
        datasets,
        file_format=config.format,
        shard=shard,
        schema=config.schema,
        block=config.block,
        workers=worker_count(config.workers),
    )
    for file in files[:3]:
        print(file)
    if len(files) > 3:
        print(f"... {len(files)} files in all")


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit()):
        raise ValueError(f"shard must be i/n, counted from 0 (got {text!r}): write 0/4 .. 3/4, say")
    return int(index), int(count)


def _check(path: Path) -> None:
    from equisym.data.file_check import check_file

    reports = check_file(path)
    for report in reports:
        print(report)
    if not all(report.sound for report in reports):
        sys.exit(1)
