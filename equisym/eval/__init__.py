"""Evaluation across image families: metrics, protocol, report and the command."""

from equisym.eval.metrics import Scores, score, wilson_interval
from equisym.eval.protocol import evaluate

__all__ = ["Scores", "evaluate", "score", "wilson_interval"]
