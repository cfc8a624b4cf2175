"""Which wallpaper group an image has: the classifier, its answers, and the picture of an answer."""

from equisym.groups.symmetry_elements import ReflectionLine, RotationCentre, reflection_lines, rotation_centres
from equisym.predict.classifier import SymmetryClassifier
from equisym.predict.map import SymmetryMap, Vote, vote
from equisym.predict.map_picture import draw_map
from equisym.predict.overlay import draw_overlay
from equisym.predict.prediction import OperationResidual, Prediction

__all__ = [
    "OperationResidual",
    "Prediction",
    "ReflectionLine",
    "RotationCentre",
    "SymmetryClassifier",
    "SymmetryMap",
    "Vote",
    "draw_map",
    "draw_overlay",
    "reflection_lines",
    "rotation_centres",
    "vote",
]
