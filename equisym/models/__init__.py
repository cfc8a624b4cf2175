"""Architectures and their registry: ``build(name, ...)`` and ``list_archs()``."""

from equisym.models.baselines import PyramidClassifier
from equisym.models.convnets import ConvNet
from equisym.models.crystal_regression import Crystal
from equisym.models.e2convnext import E2ConvNeXt
from equisym.models.e2densenet import E2DenseNet
from equisym.models.e2resnet import E2ResNet
from equisym.models.e2vit import E2ViT
from equisym.models.e2wideresnet import E2WideResNet
from equisym.models.field_classifier import Classifier
from equisym.models.filternet import FilterNet
from equisym.models.model_file import find_model_file, read_model_file, save_model
from equisym.models.orbitnet import OrbitNet
from equisym.models.pixel_classifier import PixelClassifier
from equisym.models.registry import build, import_archs, list_archs, register
from equisym.models.sharing import Sharing
from equisym.models.symnet import SymNet
from equisym.models.timm_registry import register_in_timm
from equisym.models.tree import TreeClassifier, TreeSoftmax
from equisym.models.weights_registry import WEIGHTS, Weights

__all__ = [
    "WEIGHTS",
    "Classifier",
    "ConvNet",
    "Crystal",
    "E2ConvNeXt",
    "E2DenseNet",
    "E2ResNet",
    "E2ViT",
    "E2WideResNet",
    "FilterNet",
    "OrbitNet",
    "PixelClassifier",
    "PyramidClassifier",
    "Sharing",
    "SymNet",
    "TreeClassifier",
    "TreeSoftmax",
    "Weights",
    "build",
    "find_model_file",
    "import_archs",
    "list_archs",
    "read_model_file",
    "register",
    "register_in_timm",
    "save_model",
]
