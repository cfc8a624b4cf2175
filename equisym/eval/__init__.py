"""Evaluation across image families: metrics, protocol, report and the command. Heavy packages load on first use."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from equisym.eval.metrics import Scores, score, wilson_interval
    from equisym.eval.protocol import evaluate

__all__ = ["Scores", "evaluate", "score", "wilson_interval"]

_HOMES = {"Scores": "metrics", "evaluate": "protocol", "score": "metrics", "wilson_interval": "metrics"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"equisym.eval.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'equisym.eval' has no attribute {name!r}")
