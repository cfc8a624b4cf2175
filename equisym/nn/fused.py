"""Whether a layer may run its fused GPU kernel."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_plain_call(x: object) -> bool:
    """Whether values and gradients are asked for and no more: no trace, compiler, transform or forward derivative."""
    if type(x) not in (Tensor, torch.nn.Parameter) or torch.compiler.is_compiling():
        return False
    if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
        return False
    return not torch._C._are_functorch_transforms_active() and forward_ad._current_level < 0


def fused_kernels(x: object, module: str) -> ModuleType | None:
    """A module of ``equisym.nn`` with GPU kernels, where the input is on a GPU that Triton is there for."""
    if not is_plain_call(x) or not x.is_cuda or not _is_new_enough(x.device):  # pyright: ignore[reportAttributeAccessIssue]
        return None
    return _imported(module)


# What follows is asked in every call of every layer, where a look-up is a tenth of the work that it saves.
@cache
def _imported(module: str) -> ModuleType | None:
    try:
        return import_module(f"equisym.nn.{module}")
    except ImportError:  # no Triton
        return None


def device_of(x: Tensor) -> AbstractContextManager[object]:
    """The device of a tensor as the current one; nothing to do where there is one only."""
    return torch.cuda.device_of(x) if _are_several() else nullcontext()


@cache
def _are_several() -> bool:
    return torch.cuda.device_count() > 1


def how_many(total: int, size: int) -> int:
    """Parts of a size that a total needs; Triton's own function takes ten times as long."""
    return -(-total // size)


def power_of_two(number: int) -> int:
    """The least power of two that is not smaller."""
    return 1 << max(0, number - 1).bit_length()


@cache
def _is_new_enough(device: torch.device) -> bool:
    return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
