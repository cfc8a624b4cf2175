"""Group-equivariant convolutions, and the wallpaper symmetry of images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equisym.predict import SymmetryClassifier

__all__ = ["SymmetryClassifier"]


def __getattr__(name: str) -> Any:
    if name == "SymmetryClassifier":  # loaded on first use, so that the layers need torch alone
        from equisym.predict import SymmetryClassifier

        return SymmetryClassifier
    raise AttributeError(f"module 'equisym' has no attribute {name!r}")
