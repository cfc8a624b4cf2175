"""Group-equivariant convolutions, and the wallpaper symmetry of images."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equisym.predict import SymmetryClassifier

    __version__: str

__all__ = ["SymmetryClassifier"]


def __getattr__(name: str) -> Any:
    if name == "SymmetryClassifier":  # loaded on first use, so that the layers need torch alone
        from equisym.predict import SymmetryClassifier

        return SymmetryClassifier
    if name == "__version__":
        from importlib.metadata import version

        return version("equisym")
    raise AttributeError(f"module 'equisym' has no attribute {name!r}")
