"""Which wallpaper group an image has: the classifier, its answers, and the picture of an answer."""

from equisym.predict.classifier import SymmetryClassifier
from equisym.predict.elements import Centre, Line, reflection_lines, rotation_centres
from equisym.predict.overlay import draw_overlay
from equisym.predict.prediction import OperationResidual, Prediction

__all__ = [
    "Centre",
    "Line",
    "OperationResidual",
    "Prediction",
    "SymmetryClassifier",
    "draw_overlay",
    "reflection_lines",
    "rotation_centres",
]
