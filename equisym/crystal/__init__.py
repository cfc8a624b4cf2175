"""Measure an image: lattice, unit cell, and how well each symmetry operation and each group holds."""

from equisym.crystal.autocorrelate import autocorrelation, detrend
from equisym.crystal.cell_average import CellAverage, average_cell, tile
from equisym.crystal.correlation import Spectrum, correlation_maps, spectrum
from equisym.crystal.displacement import displacement_field, local_phase, unbend
from equisym.crystal.domains import Domains, find_domains
from equisym.crystal.drift_correction import correct_drift
from equisym.crystal.faults import Fault, find_fault
from equisym.crystal.grating import Grating, find_grating
from equisym.crystal.lattice_choice import find_lattice
from equisym.crystal.lattice_search import Lattice, estimate_lattice
from equisym.crystal.mask import field_mask
from equisym.crystal.operation_maps import OperationMaps, correlate_operations
from equisym.crystal.operations import OperationScore, operation_scores
from equisym.crystal.perspective import find_perspective, without_perspective
from equisym.crystal.posterior import (
    exact_group,
    group_energies,
    group_probabilities,
    group_residuals,
)
from equisym.crystal.projection import Fit, fit_groups, residual, symmetrise
from equisym.crystal.registry import in_register
from equisym.crystal.shell_correlation import correlate
from equisym.crystal.spectral_peaks import PowerSpectrum, SpectralPeaks
from equisym.crystal.symmetry_features import (
    Measurement,
    Scan,
    SymmetryFeatures,
    extract_features,
    features_of,
    measure,
    measure_scan,
)
from equisym.crystal.tuned_constants import PosteriorOptions
from equisym.crystal.unindexed_peaks import Unindexed, find_unindexed
from equisym.crystal.wave_refinement import refine_to_waves

__all__ = [
    "CellAverage",
    "Domains",
    "Fault",
    "Fit",
    "Grating",
    "Lattice",
    "Measurement",
    "OperationMaps",
    "OperationScore",
    "PosteriorOptions",
    "PowerSpectrum",
    "Scan",
    "SpectralPeaks",
    "Spectrum",
    "SymmetryFeatures",
    "Unindexed",
    "autocorrelation",
    "average_cell",
    "correct_drift",
    "correlate",
    "correlate_operations",
    "correlation_maps",
    "detrend",
    "displacement_field",
    "estimate_lattice",
    "exact_group",
    "extract_features",
    "features_of",
    "field_mask",
    "find_domains",
    "find_fault",
    "find_grating",
    "find_lattice",
    "find_perspective",
    "find_unindexed",
    "fit_groups",
    "group_energies",
    "group_probabilities",
    "group_residuals",
    "in_register",
    "local_phase",
    "measure",
    "measure_scan",
    "operation_scores",
    "refine_to_waves",
    "residual",
    "spectrum",
    "symmetrise",
    "tile",
    "unbend",
    "without_perspective",
]
