"""Architectures and their registry: ``build(name, ...)`` and ``list_archs()``."""

from equisym.models import e2resnet as _e2resnet  # noqa: F401 - registers its architectures
from equisym.models.e2resnet import E2ResNet
from equisym.models.registry import build, list_archs, register

__all__ = ["E2ResNet", "build", "list_archs", "register"]
