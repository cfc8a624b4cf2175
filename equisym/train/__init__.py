"""Training: configuration, Lightning module, run folders. Nothing heavy loads before it is asked for."""

from equisym.train.config import TrainConfig

__all__ = ["TrainConfig"]
