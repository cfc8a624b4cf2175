"""Equivariant layers on plain tensors. Regular fields have the shape ``(B, fields * order, H, W)``, element fastest."""

from equisym.nn.action import act
from equisym.nn.correlation_pool import CorrelationPool2d
from equisym.nn.dropout import FieldDropout2d
from equisym.nn.escnn_import import from_escnn
from equisym.nn.field_linear import FieldLinear, FieldMLP
from equisym.nn.field_nonlinearity import GatedNonlinearity, NormNonlinearity
from equisym.nn.field_norm import FieldBatchNorm2d, FieldGroupNorm2d, FieldInstanceNorm2d, FieldLayerNorm2d
from equisym.nn.field_order import FieldBranches2d, SelectFields2d, SplitFields2d
from equisym.nn.field_pooling import FieldMagnitude2d, FieldMax2d, NormMaxPool2d
from equisym.nn.field_type import FieldType
from equisym.nn.folding import to_plain
from equisym.nn.group_conv import GroupConv2d, GroupConvTranspose2d, LiftConv2d
from equisym.nn.isotypic import (
    IsotypicInvariants,
    IsotypicNonlinearity,
    IsotypicNorm,
    IsotypicTransform,
)
from equisym.nn.isotypic_linear import IsotypicLinear
from equisym.nn.kernel import GroupKernel
from equisym.nn.layer_report import EquivarianceReport, equivariance_report
from equisym.nn.nonlinearity import FourierNonlinearity, PointwiseNonlinearity, group_functions
from equisym.nn.normalisation import GroupBatchNorm2d
from equisym.nn.orbit_conv import OrbitConv2d
from equisym.nn.orbit_linear import OrbitLinear, commutant_dimension
from equisym.nn.plain_import import from_plain
from equisym.nn.pooling import GroupPool2d
from equisym.nn.product_nonlinearity import ConcatenatedNonlinearity, TensorProductNonlinearity
from equisym.nn.reparam import ReparamConv2d, ReparamLinear
from equisym.nn.resample import BlurPool2d, DiscMask2d, MaxBlurPool2d, Upsample2d
from equisym.nn.residual import GroupResidualBlock
from equisym.nn.restriction import Restrict2d, RestrictRegular2d
from equisym.nn.rotating_conv import RotatingConv2d
from equisym.nn.separable_conv import GroupDepthwiseConv2d, SeparableGroupConv2d
from equisym.nn.sizes import LayerSize, SizeReport, check_sizes
from equisym.nn.steerable_conv import SteerableConv2d, SteerableConvTranspose2d
from equisym.nn.steerable_kernel import RingBasis, kernel_space_dimension
from equisym.nn.symmetry_filter import SymmetryCorrelation2d, SymmetryFilter2d
from equisym.nn.synchronise import synchronise_norms
from equisym.nn.wallpaper_conv import WallpaperConv2d

__all__ = [
    "BlurPool2d",
    "ConcatenatedNonlinearity",
    "CorrelationPool2d",
    "DiscMask2d",
    "EquivarianceReport",
    "FieldBatchNorm2d",
    "FieldBranches2d",
    "FieldDropout2d",
    "FieldGroupNorm2d",
    "FieldInstanceNorm2d",
    "FieldLayerNorm2d",
    "FieldLinear",
    "FieldMLP",
    "FieldMagnitude2d",
    "FieldMax2d",
    "FieldType",
    "FourierNonlinearity",
    "GatedNonlinearity",
    "GroupBatchNorm2d",
    "GroupConv2d",
    "GroupConvTranspose2d",
    "GroupDepthwiseConv2d",
    "GroupKernel",
    "GroupPool2d",
    "GroupResidualBlock",
    "IsotypicInvariants",
    "IsotypicLinear",
    "IsotypicNonlinearity",
    "IsotypicNorm",
    "IsotypicTransform",
    "LayerSize",
    "LiftConv2d",
    "MaxBlurPool2d",
    "NormMaxPool2d",
    "NormNonlinearity",
    "OrbitConv2d",
    "OrbitLinear",
    "PointwiseNonlinearity",
    "ReparamConv2d",
    "ReparamLinear",
    "Restrict2d",
    "RestrictRegular2d",
    "RingBasis",
    "RotatingConv2d",
    "SelectFields2d",
    "SeparableGroupConv2d",
    "SizeReport",
    "SplitFields2d",
    "SteerableConv2d",
    "SteerableConvTranspose2d",
    "SymmetryCorrelation2d",
    "SymmetryFilter2d",
    "TensorProductNonlinearity",
    "Upsample2d",
    "WallpaperConv2d",
    "act",
    "check_sizes",
    "commutant_dimension",
    "equivariance_report",
    "from_escnn",
    "from_plain",
    "group_functions",
    "kernel_space_dimension",
    "synchronise_norms",
    "to_plain",
]
