"""Training: configuration, Lightning module, run folders. Heavy packages load on first use."""

from typing import TYPE_CHECKING, Any

from equisym.train.config import TrainConfig

if TYPE_CHECKING:
    from equisym.train.recording import recorded
    from equisym.train.run import train

__all__ = ["TrainConfig", "recorded", "train"]


def __getattr__(name: str) -> Any:
    if name == "train":
        from equisym.train.run import train

        return train
    if name == "recorded":
        from equisym.train.recording import recorded

        return recorded
    raise AttributeError(f"module 'equisym.train' has no attribute {name!r}")
