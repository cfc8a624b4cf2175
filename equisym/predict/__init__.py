"""Which wallpaper group an image has: the classifier, its answers, and what is made of them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equisym.groups.symmetry_elements import ReflectionLine, RotationCentre, reflection_lines, rotation_centres
    from equisym.predict.classifier import SymmetryClassifier
    from equisym.predict.expectation import Comparison, Expectation
    from equisym.predict.export import export_answer
    from equisym.predict.flattening import flatten
    from equisym.predict.folder_report import FolderReport
    from equisym.predict.map import SymmetryMap
    from equisym.predict.map_picture import draw_map
    from equisym.predict.overlay import draw_overlay
    from equisym.predict.phases import phase_residuals
    from equisym.predict.prediction import OperationResidual, Prediction
    from equisym.predict.rectification import rectify
    from equisym.predict.refusal import Refusal, RefusalCode
    from equisym.predict.region import Region
    from equisym.predict.window_vote import Vote, vote

_ELEMENTS = "equisym.groups.symmetry_elements"
_HOMES = {
    "Comparison": "equisym.predict.expectation",
    "Expectation": "equisym.predict.expectation",
    "FolderReport": "equisym.predict.folder_report",
    "OperationResidual": "equisym.predict.prediction",
    "Prediction": "equisym.predict.prediction",
    "ReflectionLine": _ELEMENTS,
    "Refusal": "equisym.predict.refusal",
    "RefusalCode": "equisym.predict.refusal",
    "Region": "equisym.predict.region",
    "RotationCentre": _ELEMENTS,
    "SymmetryClassifier": "equisym.predict.classifier",
    "SymmetryMap": "equisym.predict.map",
    "Vote": "equisym.predict.window_vote",
    "draw_map": "equisym.predict.map_picture",
    "draw_overlay": "equisym.predict.overlay",
    "export_answer": "equisym.predict.export",
    "flatten": "equisym.predict.flattening",
    "phase_residuals": "equisym.predict.phases",
    "rectify": "equisym.predict.rectification",
    "reflection_lines": _ELEMENTS,
    "rotation_centres": _ELEMENTS,
    "vote": "equisym.predict.window_vote",
}

__all__ = [
    "Comparison",
    "Expectation",
    "FolderReport",
    "OperationResidual",
    "Prediction",
    "ReflectionLine",
    "Refusal",
    "RefusalCode",
    "Region",
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
