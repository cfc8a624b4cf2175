"""Images a second and core: drawn on the fly, read from webdataset shards and from HDF5, and what ten million take.

    python benchmarks/shards.py --out benchmarks/results/shards.md

Processor time of one process, images of 129 x 129 pixels as the network gets them (decoded, scaled to 0..1).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import Dataset

from equisym.data import WallpaperDataset, open_labelled
from equisym.data.generate import generate
from equisym.data.shards import ShardIndex
from equisym.document import Code, Table, Text, render_markdown

TEN_MILLION = 10_000_000


def rate(dataset: Dataset, count: int) -> float:
    """Images a second of processor time."""
    dataset[0]
    begin = time.process_time()
    for index in range(count):
        dataset[index * 7 % count]
    return count / (time.process_time() - begin)


def seconds(action: Callable[[], object]) -> float:
    """Processor time of an action."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=510)
    parser.add_argument("--size", type=int, default=129)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, scan = [], 0.0
    for family in ("noise", "photo", "atom"):
        drawn = WallpaperDataset(family, options.count, size=options.size, seed=0)
        with tempfile.TemporaryDirectory() as temporary:
            tar, h5 = Path(temporary) / "tar", Path(temporary) / "set.h5"
            generate(tar, {family: drawn}, file_format="webdataset", progress=False)
            generate(h5, {family: drawn}, file_format="hdf5", progress=False)
            sizes = [sum(p.stat().st_size for p in tar.glob("*.tar")), h5.stat().st_size]
            scan += seconds(lambda tar=tar: ShardIndex.of(sorted(tar.glob("*.tar")), progress=False))
            sources = (
                ("drawn on the fly", drawn, 0),
                ("webdataset shards", open_labelled(tar, size=options.size, progress=False)["all"], sizes[0]),
                ("HDF5", open_labelled(h5, size=options.size, progress=False)["all"], sizes[1]),
            )
            for name, dataset, stored in sources:
                speed = rate(dataset, options.count)
                disk = f"{stored / options.count * TEN_MILLION / 1e9:,.0f} GB" if stored else "nothing"
                hours = TEN_MILLION / speed / 3600
                rows.append([family, name, f"{speed:,.0f}", disk, f"{hours:.1f}"])
    each = scan / (3 * options.count)
    text = (
        f"One core, {options.size} px, {options.count} images of each family. Reading the headers of shards takes "
        f"{1e6 * each:.0f} µs for each image, {TEN_MILLION * each / 60:.0f} core-minutes for ten million."
    )
    heads = ["family", "images come from", "images/s and core", "ten million on disk", "core-hours for all of them"]
    command = "python benchmarks/shards.py --out benchmarks/results/shards.md"
    blocks = [Code(command, "sh"), Text(text), Table(heads, rows)]
    page = render_markdown("Images from shards and on the fly", blocks, Path())
    print(page)
    if options.out:
        options.out.write_text(page)


if __name__ == "__main__":
    main()
