"""Equivariant layers. Plain tensors in and out; regular fields are ``(B, fields * order, H, W)``, element fastest."""

from equisym.nn.action import act
from equisym.nn.group_conv import GroupConv2d, LiftConv2d
from equisym.nn.kernel import GroupKernel
from equisym.nn.normalisation import GroupBatchNorm2d
from equisym.nn.pooling import GroupPool2d
from equisym.nn.residual import GroupResidualBlock

__all__ = [
    "GroupBatchNorm2d",
    "GroupConv2d",
    "GroupKernel",
    "GroupPool2d",
    "GroupResidualBlock",
    "LiftConv2d",
    "act",
]
