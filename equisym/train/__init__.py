"""Training: configuration, Lightning module, run folders. Heavy packages load on first use."""

from equisym.train.config import TrainConfig

__all__ = ["TrainConfig"]
