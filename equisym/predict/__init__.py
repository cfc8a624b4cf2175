"""Which wallpaper group an image has: the classifier, its answers, and what is made of them."""

from equisym.groups.symmetry_elements import ReflectionLine, RotationCentre, reflection_lines, rotation_centres
from equisym.predict.classifier import SymmetryClassifier
from equisym.predict.map import SymmetryMap, Vote, vote
from equisym.predict.map_picture import draw_map
from equisym.predict.overlay import draw_overlay
from equisym.predict.prediction import OperationResidual, Prediction
from equisym.predict.refusal import Refusal, RefusalCode

__all__ = [
    "Comparison",
    "Expectation",
    "FolderReport",
    "OperationResidual",
    "Prediction",
    "ReflectionLine",
    "Refusal",
    "RefusalCode",
    "RotationCentre",
    "SymmetryClassifier",
    "SymmetryMap",
    "Vote",
    "draw_map",
    "draw_overlay",
    "export_answer",
    "flatten",
    "phase_residuals",
    "rectify",
    "reflection_lines",
    "rotation_centres",
    "vote",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # loaded when asked for, so that the command can tell a wrong option at once
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'equisym.predict' has no attribute {name!r}")
