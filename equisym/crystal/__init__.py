"""Lattice and unit cell of an image, and how well each symmetry operation and each group holds; torch functions."""

from equisym.crystal.autocorrelation import autocorrelation, remove_trend
from equisym.crystal.cell import CellAverage, average_cell, tile
from equisym.crystal.correlation import Spectrum, correlation_maps, spectrum
from equisym.crystal.drift import straighten
from equisym.crystal.evidence import Evidence, Measurement, Scan, evidence, gather, measure, measure_scan
from equisym.crystal.field import field_of_view
from equisym.crystal.lattice import Lattice, estimate_lattice
from equisym.crystal.operations import OperationScore, operation_scores
from equisym.crystal.projection import Fit, fit_groups, residual, symmetrise
from equisym.crystal.statistics import correlate, information_criterion

__all__ = [
    "CellAverage",
    "Evidence",
    "Fit",
    "Lattice",
    "Measurement",
    "OperationScore",
    "Scan",
    "Spectrum",
    "autocorrelation",
    "average_cell",
    "correlate",
    "correlation_maps",
    "estimate_lattice",
    "evidence",
    "field_of_view",
    "fit_groups",
    "gather",
    "information_criterion",
    "measure",
    "measure_scan",
    "operation_scores",
    "remove_trend",
    "residual",
    "spectrum",
    "straighten",
    "symmetrise",
    "tile",
]
