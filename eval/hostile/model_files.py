"""Model files: damaged ones, and descriptions with every option of every architecture at its extremes."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hostile.odd_arrays import SPARSE
from hostile.programs import Evil

ABOUT = {"arch": "e2resnet", "arch_options": {"width": 2}, "num_classes": 17, "in_channels": 1, "size": 33}
EXTREME = {"none": None, "zero": 0, "minus": -1, "half": 0.5, "many": 60_000, "word": "../../x", "list": [60_000] * 64}


def make_models(folder: Path, secret: Path, trace: Path) -> None:
    """Model files: headers, descriptions, and every option of every architecture at its extremes."""
    from equisym.models import build, save_model

    program = pickle.dumps(Evil(trace))
    (folder / "evil.pth").write_bytes(program)
    save_model(build("e2resnet", width=2), folder / "good.safetensors", ABOUT)
    whole = (folder / "good.safetensors").read_bytes()
    body = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"equisym":"{}"}}'

    def raw(name: str, header: bytes, data: bytes = bytes(8), length: int | None = None) -> None:
        size = struct.pack("<Q", len(header) if length is None else length)
        (folder / f"{name}.safetensors").write_bytes(size + header + data)

    for k, length in enumerate((2**63, 2**64 - 1, 2**40, 10**8 + 1, 0, 1)):
        raw(f"head-length-{k}", body, length=length)
    raw("head-deep", b"[" * 1_000_000)
    raw("head-no-json", b"\xff" * 999)
    raw("head-twice", b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' + body[1:])
    for name, entry in {
        "shape": '"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]',
        "offset": '"F32","shape":[2],"data_offsets":[0,99999999]',
        "behind": '"F32","shape":[2],"data_offsets":[8,0]',
        "negative": '"F32","shape":[-2],"data_offsets":[0,8]',
        "kind": '"PICKLE","shape":[2],"data_offsets":[0,8]',
        "gap": '"F32","shape":[1],"data_offsets":[4,8]',
    }.items():
        raw(f"head-{name}", f'{{"x":{{"dtype":{entry}}},"__metadata__":{{"equisym":"{{}}"}}}}'.encode())
    for k in range(8):
        changed = bytearray(whole)
        changed[int((k + 0.5) / 8 * len(whole))] ^= 4
        (folder / f"flip-{k}.safetensors").write_bytes(changed)
        (folder / f"cut-{k}.safetensors").write_bytes(whole[: k * len(whole) // 8])
    (folder / "program.safetensors").write_bytes(program)
    with zipfile.ZipFile(folder / "archive.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", program)
    os.mkfifo(folder / "pipe.safetensors")
    (folder / "device.safetensors").symlink_to("/dev/zero")
    (folder / "folder.safetensors").mkdir()
    (folder / "a-folder").mkdir()
    (folder / "a-folder/model.safetensors").symlink_to(folder / "a-folder/model.safetensors")
    raw(
        "sparse",
        b'{"x":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]},"__metadata__":{"equisym":"{}"}}'
        % (SPARSE // 4, SPARSE),
        b"",
    )
    os.truncate(folder / "sparse.safetensors", (folder / "sparse.safetensors").stat().st_size + SPARSE)
    for name, about in _descriptions(folder / "evil.pth", secret):
        _described_model(folder / f"{name}.safetensors", about)


def _described_model(path: Path, about: Any) -> None:
    import torch
    from safetensors.torch import save_file

    text = about if isinstance(about, str) else json.dumps(about)
    save_file({"x": torch.zeros(2)}, path, metadata={"equisym": text})


def _descriptions(evil: Path, secret: Path) -> Iterator[tuple[str, Any]]:
    """Descriptions of networks by name."""
    for k, text in enumerate(
        ("{", "[" * 100_000, "null", "3", '"a"', "[]", '{"arch":' * 5000, "NaN", "\0", "9" * 10_000)
    ):
        yield f"text-{k}", text
    for k, (key, value) in enumerate(
        [
            ("num_classes", 10**9),
            ("num_classes", True),
            ("num_classes", -1),
            ("num_classes", 65_536),
            ("in_channels", 0),
            ("in_channels", 65_536),
            ("size", 10**9),
            ("size", None),
            ("inputs", "image,secret"),
            ("inputs", "radon," * 9999),
            ("inputs", ["image"]),
            ("arch", "os.system"),
            ("arch", "timm/hf-hub:someone/evil"),
            ("arch", "timm/../../x"),
            ("arch", f"timm/local-dir:{evil.parent}"),
            ("arch", "hf-hub:someone/evil"),
            ("arch", "\x1b[2J<b>\n"),
            ("arch", ""),
            ("arch", "timm/"),
            ("arch", "x" * 10**6),
            ("arch_options", []),
            ("package", "os"),
            ("package", "../evil"),
            ("classes", "a"),
            ("classes", [1] * 9),
            ("classes", ["<script>"] * 17),
        ]
    ):
        yield f"about-{k}-{key}", ABOUT | {key: value}
    for option in (
        "checkpoint_path",
        "pretrained",
        "pretrained_cfg",
        "pretrained_cfg_overlay",
        "cache_dir",
        "file",
        "url",
        "features_only",
        "scriptable",
        "weights",
        "custom_load",
        "hf_hub_id",
        "exportable",
    ):
        for arch in ("timm/resnet18", "resnet50", "fpn_resnet50", "e2resnet"):
            value = True if option in ("pretrained", "features_only") else str(evil)
            yield f"timm-{option}-{arch.replace('/', '-')}", ABOUT | {"arch": arch, "arch_options": {option: value}}
    yield (
        "timm-overlay",
        ABOUT | {"arch": "timm/resnet18", "arch_options": {"pretrained_cfg_overlay": {"file": str(evil)}}},
    )
    for k, value in enumerate(
        ("hf-hub:someone/evil", f"local-dir:{evil.parent}", str(secret), "resnet18.evil", "vit_huge_patch14_224")
    ):
        yield f"backbone-{k}", ABOUT | {"arch": "fpn_resnet50", "arch_options": {"backbone": value}}
    for arch, option in _options():
        for name, value in EXTREME.items():
            about = ABOUT | {"arch": arch, "arch_options": {option: value}}
            yield f"option-{arch.replace('/', '-')}-{option}-{name}", about


def _options() -> Iterator[tuple[str, str]]:
    """Options of the architectures that take time or room: depths, widths, kernels, names of layers."""
    from equisym.models.baselines import TIMM_OPTIONS

    ours = {
        "e2resnet": ("group", "width", "blocks", "stem_kernel", "conv", "pool", "exact_at", "dropout"),
        "e2wideresnet": ("depth", "width"),
        "e2densenet": ("layers", "growth"),
        "e2vit": ("depth", "heads", "width"),
        "e2convnext": ("depths", "width"),
        "rkcnn": ("kernel_size", "width"),
        "msrnet": ("kernel_size",),
        "filternet": ("kernel_size", "filters"),
        "orbitnet": ("stages", "group", "width"),
        "symnet": ("filters", "hidden"),
        "fpn_resnet50": ("channels", "backbone"),
    }
    for arch, options in ours.items():
        yield from ((arch, option) for option in options)
    for k, option in enumerate(TIMM_OPTIONS):
        yield ("timm/resnet18", "timm/vit_tiny_patch16_224", "timm/densenet121")[k % 3], option
