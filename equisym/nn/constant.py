"""Fixed arrays of a module that stay exact in every dtype, and out of its state."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class ConstantModule(nn.Module):
    """A module with float64 constants that follow its dtype and device without ever being rounded twice.

    A plain buffer made in float32 keeps float32's error after ``.double()``. Here each constant is remembered in
    float64 and cast anew whenever the module moves. Nothing of it enters the state dict, and no two modules share it.
    """

    _exact: dict[str, NDArray[np.float64]]

    def register_constant(self, name: str, values: NDArray[np.float64]) -> None:
        """Add a constant, readable as the tensor attribute ``name``.

        Args:
            name: attribute to make.
            values: float64 array of any shape.
        """
        exact = np.array(values, dtype=np.float64)
        exact.setflags(write=False)
        self.__dict__.setdefault("_exact", {})[name] = exact
        self.register_buffer(name, torch.tensor(exact, dtype=torch.get_default_dtype()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ConstantModule:
        super()._apply(fn, recurse)
        for name, exact in self.__dict__.get("_exact", {}).items():
            moved = self._buffers[name]
            if moved is not None and moved.device.type != "meta":
                self._buffers[name] = torch.tensor(exact, dtype=moved.dtype, device=moved.device)
        return self
