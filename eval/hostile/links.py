"""Links, cycles, pipes, sockets and devices in the place of images."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import h5py
import numpy as np
from hostile.tifs import page, tiff


def links(folder: Path, secret: Path) -> None:
    """Links, cycles, pipes, sockets and devices."""
    small = page(8, 8)
    (folder / "cycle-self.tif").write_bytes(tiff([(small, 1)]))
    (folder / "cycle-two.tif").write_bytes(tiff([(small, 2), (small, 1)]))
    (folder / "cycle-late.tif").write_bytes(tiff([(small, 2), (small, 3), (small, 2)]))
    (folder / "cycle-subifd.tif").write_bytes(tiff([(sorted([*small, (330, 72)]), 0)]))
    (folder / "many-pages.tif").write_bytes(tiff([(small, k + 2) for k in range(4999)] + [(small, 0)]))
    for suffix in ("png", "h5", "tif", "npy", "npz", "dm4", "gwy", "sxm"):
        os.mkfifo(folder / f"pipe.{suffix}")
    for name, target in {
        "link-secret.png": secret,
        "link-zero.npy": Path("/dev/zero"),
        "link-random.tif": Path("/dev/urandom"),
        "link-full.h5": Path("/dev/full"),
        "link-memory.npy": Path("/proc/self/mem"),
        "link-pages.npy": Path("/proc/self/pagemap"),
        "link-dangling.png": folder / "nowhere",
        "link-self.png": folder / "link-self.png",
        "link-folder.png": folder,
        "link-stdin.npy": Path("/dev/stdin"),
        "loop": folder,
    }.items():
        (folder / name).symlink_to(target)
    (folder / "a-folder.png").mkdir()
    server, where = socket.socket(socket.AF_UNIX), Path.cwd()
    os.chdir(folder)
    server.bind("socket.png")
    os.chdir(where)
    shape, pipe = (32, 32), folder / "pipe.png"
    with h5py.File(folder / "inner.h5", "w") as file:
        file["image"] = np.zeros(shape, np.uint8)
    for name, target in {"secret": secret, "pipe": pipe, "device": Path("/dev/zero"), "many": secret}.items():
        with h5py.File(folder / f"external-{name}.h5", "w") as file:
            pieces = [(str(target), k, 1) for k in range(1024)] if name == "many" else [(str(target), 0, 1024)]
            file.create_dataset("image", shape, "u1", external=pieces)
    for name, target in {"": "inner.h5", "-pipe": "pipe.h5", "-device": "/dev/zero"}.items():
        with h5py.File(folder / f"external-link{name}.h5", "w") as file:
            file["image"] = h5py.ExternalLink(str(folder / target), "/image")
        with h5py.File(folder / f"virtual{name}.h5", "w") as file:
            layout = h5py.VirtualLayout(shape, "u1")
            layout[:] = h5py.VirtualSource(str(folder / target), "image", shape)
            file.create_virtual_dataset("image", layout)
    with h5py.File(folder / "external-velox.emd", "w") as file:
        group = file.create_group("Data/Image/a")
        group.create_dataset("Data", shape, "u1", external=[(str(secret), 0, 1024)])
        group.create_dataset("Metadata", (1024, 1), "u1", external=[(str(pipe), 0, 1024)])
    with h5py.File(folder / "external-dims.emd", "w") as file:
        group = file.create_group("a")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.eye(32)
        for k in (1, 2):
            group.create_dataset(f"dim{k}", (32,), "u1", external=[(str(pipe), 0, 32)])
    with h5py.File(folder / "cycle-group.h5", "w") as file:
        group = file.create_group("a")
        group["b"] = file["a"]
        file["c"] = h5py.SoftLink("/c")
        file["d"] = h5py.SoftLink("/a/b/b/b")
    server.close()
