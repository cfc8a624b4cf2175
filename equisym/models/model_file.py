"""Model files: weights as safetensors with a checksum and what it takes to build the network again.

Nothing in such a file can run: nothing is unpickled, a description may only name architectures and options that are
known, and no more memory is taken than the file's own weights need.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from equisym.models.weights_registry import WEIGHTS
from equisym.plain_text import one_line

HUB = "hf-hub:"
LARGEST_KERNEL = 63  # side in pixels
LARGEST_GROUP = 64  # order of the rotations of a group that a file may ask for
LARGER = "the network that it describes is far larger than its weights"
MAX_BYTES = 2**30
"""A model file larger than this is not read, unless the caller sets another limit."""
MOST_MODULES = 10_000  # of a network that a file describes
SPARE = 2**28  # bytes that building a network may take besides eight times the file


def find_model_file(name: str | Path) -> Path:
    """The ``.safetensors`` file that a name stands for.

    Args:
        name: a file, a folder that holds ``model.safetensors`` (of a run, or of ``save_pretrained``), or
            ``hf-hub:OWNER/NAME``, the only name for which the network is asked.

    Raises:
        ValueError: if there is no such file.
        ImportError: for a name of the Hub without the package huggingface_hub.
    """
    text = str(name)
    if text.startswith(HUB):
        try:
            from huggingface_hub import hf_hub_download
        except ImportError:
            raise ImportError(f"{text} needs the package huggingface_hub: pip install 'equisym[hub]'") from None
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tries several times, and tells each
        try:
            return Path(hf_hub_download(text.removeprefix(HUB), "model.safetensors"))
        except Exception as error:  # of the network, the Hub, or the name
            raise ValueError(f"{text} could not be fetched: {one_line(error, 200)}") from None
    path = Path(name)
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"no trained model at {path}: give a folder written by equisym-train, or a .safetensors file")
    return file


def save_model(model: nn.Module, path: Path, description: Mapping[str, Any]) -> None:
    """Save weights and description, whole or not at all, with a checksum over both.

    Raises:
        ValueError: if a weight is NaN or infinite.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    _require_finite(state, path)
    options = dict(description["arch_options"])
    if description["arch"] not in WEIGHTS:
        options.pop("pretrained", None)  # the file holds the weights: nothing is to be fetched when it is read
    about = json.dumps(dict(description) | {"arch_options": options})
    partial = path.with_name(path.name + ".part")
    save_file(state, partial, metadata={"equisym": about, "sha256": _digest(state, about)})
    partial.replace(path)


def read_model_file(file: Path, *, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and description of a model file.

    Args:
        file: the ``.safetensors`` file.
        max_bytes: a larger file is refused.

    Raises:
        ValueError: if the file is damaged, too large, was not written by equisym, or holds weights that are NaN or
            infinite.
    """
    if (size := file.stat().st_size) > max_bytes:
        raise ValueError(f"{file} has {size / 2**30:.3g} GiB, and the limit is {max_bytes / 2**30:.3g} GiB")
    try:
        with safe_open(file, "pt") as handle:
            metadata = handle.metadata() or {}
            state = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{file} is damaged, or no safetensors file ({one_line(error, 200)})") from None
    if "equisym" not in metadata:
        raise ValueError(f"{file} was not written by equisym-train: its architecture is unknown")
    if "sha256" in metadata and metadata["sha256"] != _digest(state, metadata["equisym"]):
        raise ValueError(f"{file} is damaged: its checksum is not that of its contents; copy it again")
    _require_finite(state, file)
    try:
        description = json.loads(metadata["equisym"])
        check_description(description)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} has no usable description: {one_line(error, 200)}") from None
    return state, description


def build_from_file(
    file: Path, state: Mapping[str, Tensor], description: Mapping[str, Any], make: Callable[[], nn.Module]
) -> nn.Module:
    """The network that a model file describes, with its weights, in eval mode.

    Args:
        file: for messages.
        state: the weights.
        description: what the file says of the network.
        make: builds it with fresh weights.

    Raises:
        ValueError: if the network cannot be built, is larger than the weights, or has other weights.
    """
    limit = SPARE + 8 * sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    try:
        with _bounded(limit):
            model = make()
        model.load_state_dict(dict(state))
    except Exception as error:  # on options that make no sense a builder may raise any exception
        reason = LARGER if isinstance(error, MemoryError) or "allocate" in str(error) else one_line(error, 200)
        raise ValueError(
            f"{file} does not fit its architecture {one_line(description['arch'], 60)}: {reason}"
        ) from None
    return model.eval()


def check_description(description: Any) -> None:
    """Refuse a description that is not of the form that :func:`save_model` is given.

    Raises:
        ValueError: saying what is wrong.
    """
    if not isinstance(description, dict):
        raise ValueError(f"it must be a mapping (got {type(description).__name__})")
    kinds = {"arch": str, "arch_options": dict, "num_classes": int, "in_channels": int, "size": int, "inputs": str}
    for name, kind in kinds.items():
        value = description.get(name)
        if value is None and name not in ("arch", "arch_options"):
            continue
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be a {kind.__name__} (got {value!r:.80})")
    for name in ("num_classes", "in_channels", "size"):
        value = description.get(name)
        if value is not None and not 1 <= value <= 2**16:
            raise ValueError(f"{name} must be from 1 to 65536 (got {value})")
    if "pretrained" in description["arch_options"] and description["arch"] not in WEIGHTS:
        raise ValueError("option 'pretrained' is not allowed in a file, which holds its own weights")
    for name, value in description["arch_options"].items():
        simple = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float | bool) or one is None for one in simple) or len(simple) > 64:
            raise ValueError(f"option {name!r} must be a number, a word, or a short list of such (got {value!r:.80})")
        if any(isinstance(one, int | float) and not abs(one) <= 2**16 for one in simple):
            raise ValueError(f"option {name!r} is larger than 65536 (got {value!r:.80})")
        if "kernel" in name and any(isinstance(one, int | float) and one > LARGEST_KERNEL for one in simple):
            raise ValueError(f"a kernel in a file may have {LARGEST_KERNEL} pixels at most (got {value!r:.80})")
        for number in re.findall(r"\d+", str(value)) if name == "group" else ():
            if len(number) > 4 or int(number) > LARGEST_GROUP:
                raise ValueError(f"a group in a file may have {LARGEST_GROUP} rotations at most (got {value!r:.80})")


@contextlib.contextmanager
def _bounded(limit: int) -> Iterator[None]:
    """Within it, more bytes of parameters and buffers than a limit are an error before they are filled.

    So are more modules than any network has: many small ones take time and room as well.
    """
    taken = modules = 0

    def count(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal taken
        del module, name
        taken += 0 if tensor is None else tensor.numel() * tensor.element_size()
        if taken > limit:
            raise ValueError(LARGER)

    def count_modules(*_: Any) -> None:
        nonlocal modules
        modules += 1
        if modules > MOST_MODULES:
            raise ValueError(LARGER)

    hooks = (
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
        register_module_module_registration_hook(count_modules),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _digest(state: Mapping[str, Tensor], about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(state):
        tensor = state[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(memoryview(tensor.contiguous().reshape(-1).view(torch.uint8).numpy()))  # pyright: ignore[reportArgumentType]
    return digest.hexdigest()


def _require_finite(state: Mapping[str, Tensor], file: Path) -> None:
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{file}: the weights {name} are NaN or infinite: such a network cannot classify")
