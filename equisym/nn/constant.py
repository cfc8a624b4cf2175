"""Constants of a module: fixed arrays, exact in every dtype and on every device, and not in the state dict."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class ConstantModule(nn.Module):
    """A module with constants that follow its dtype and device, are rounded only once, and are never left unset.

    A plain buffer made in float32 keeps float32's error after ``.double()``, and one made on the meta device holds
    nothing after ``to_empty``. Here each constant is stored in full precision and made anew whenever the module moves
    or its attribute is written to. Averages of weights that take buffers along write into constants and cut whole
    numbers off; these are made anew at ``train()`` or ``eval()`` and before anyone lists the buffers, to average or to
    swap them. Constants are not in the state dict, and no two modules share one.
    """

    _exact: dict[str, NDArray[Any]]

    def register_constant(
        self,
        name: str,
        values: NDArray[Any],
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Add a constant, readable as the tensor attribute ``name``.

        Args:
            name: attribute to make.
            values: array of any shape; floats follow the module's dtype, integers stay 64 bits wide.
            device: where to make it.
            dtype: of floats; None means torch's default.
        """
        exact = np.array(values, dtype=np.float64 if np.issubdtype(values.dtype, np.floating) else np.int64)
        exact.setflags(write=False)
        kind = (dtype or torch.get_default_dtype()) if exact.dtype == np.float64 else torch.int64
        self.__dict__.setdefault("_exact", {})[name] = exact
        self.register_buffer(name, torch.tensor(exact, dtype=kind, device=device), persistent=False)

    def _made(self, name: str, like: Tensor) -> Tensor:
        """The constant in the dtype and on the device of a tensor."""
        if like.device.type == "meta":
            return like
        return torch.tensor(self._exact[name], dtype=like.dtype, device=like.device)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and name in self.__dict__.get("_exact", ()):
            value = self._made(name, value)
        super().__setattr__(name, value)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ConstantModule:
        super()._apply(fn, recurse)
        for name in self.__dict__.get("_exact", ()):
            moved = self._buffers[name]
            if moved is not None:
                self._buffers[name] = self._made(name, moved)
        return self

    def train(self, mode: bool = True) -> Self:
        """Choose the mode, and make constants anew that were written to in place."""
        super().train(mode)
        self._renew()
        return self

    def named_modules(self, *args: Any, **kwargs: Any) -> Generator[tuple[str, nn.Module], None, None]:
        """As any module's; what lists the buffers of a network calls it for each part."""
        self._renew()
        return super().named_modules(*args, **kwargs)

    def _renew(self) -> None:
        for name in self.__dict__.get("_exact", ()):
            values = self._buffers[name]
            if values is not None and not values.is_inference() and values._version:
                self._buffers[name] = self._made(name, values)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, local_metadata: Any, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args, **kwargs)
        # load_state_dict(assign=True) brings a module off the meta device, or to another dtype, without moving it
        own = next((p for p in self._parameters.values() if p is not None), None)
        place = torch.get_default_device() if own is None else own.device
        if not local_metadata.get("assign_to_params_buffers", False) or place.type == "meta":
            return
        for module in self.modules():
            for name in module.__dict__.get("_exact", ()):
                values: Tensor = module._buffers[name]  # pyright: ignore[reportAssignmentType]
                dtype = own.dtype if own is not None and values.is_floating_point() else values.dtype
                if values.device.type == "meta" or values.dtype != dtype:
                    setattr(module, name, torch.empty_like(values, dtype=dtype, device=place))
