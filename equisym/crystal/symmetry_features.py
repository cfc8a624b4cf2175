"""Symmetry features of an image: lattice, cell, and how its groups' operations correlate on resolution shells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from equisym.crystal.cell_average import SIZE, CellAverage, average_cell
from equisym.crystal.chance_cells import LIMITS as CHANCE
from equisym.crystal.chance_cells import cell_that_is_shown
from equisym.crystal.correlation import SHELLS, Spectrum, spectrum
from equisym.crystal.drift_correction import correct_drift, is_straight, merit
from equisym.crystal.lattice_choice import find_lattice, twice
from equisym.crystal.lattice_search import Lattice, lattice_near, shift_map
from equisym.crystal.mask import field_mask
from equisym.crystal.operation_maps import OperationMaps, correlate_operations
from equisym.crystal.operations import repeats_within
from equisym.crystal.projection import Fit, fit_groups
from equisym.crystal.shifts import Array
from equisym.groups import WALLPAPER_GROUPS
from equisym.groups.setting import settings

# one entry for each class of operations of each group, in label order
OPERATION_CLASSES: tuple[tuple[str, str], ...] = tuple(
    (group.name, f"{op.rotation_order}" if op.determinant > 0 else setting.line_type(c[0]))
    for group in WALLPAPER_GROUPS
    for setting in [next(s for s in settings() if s.group == group)]
    for c in setting.classes
    for op in [setting.operations[c[0]]]
)
CLASS_GROUP = torch.tensor([WALLPAPER_GROUPS.names.index(name) for name, _ in OPERATION_CLASSES])
CLASS_KIND = torch.tensor(["2346mgc".index(kind) for _, kind in OPERATION_CLASSES])
_BETTER = 0.03  # so much more must repeat of the mask, or of the corrected image
_MANY = 9.0  # cells: of a bent scan with a lattice so fine, that lattice is the right one
_WITHIN = 0.45  # correlation of a coarse cell with itself shifted: a finer lattice may be bent
_ALL, _MOST, _FAIR = 0.97, 0.9, 0.75  # of the image repeats: with few cells, with many, if the waves show no drift
_LEAST = 0.4  # so much must repeat without the drift
_NEARLY_ALL = 0.95  # of the pixels must be known to look for drift


@dataclass(frozen=True)
class SymmetryFeatures:
    """What images say about symmetry, as tensors over a batch.

    Attributes:
        profile: correlation power of each operation class on each shell, over all the signal power, (B, 39, SHELLS).
        signal: share of each shell in the signal power, (B, SHELLS).
        reliability: share of signal in each shell's power, 0 to 1, (B, SHELLS).
        count: coefficients on each shell, (B, SHELLS).
        admitted: whether the lattice is within the allowed strain of a group's, (B, 17).
        strain: of the lattice against each group's, (B, 17).
        agreement: weighted mean correlation of each group's operations, (B, 17).
        score: how much of the image repeats with the lattice, (B,).
        repeats: cells in the image, (B,).
        basis: the lattice, (B, 2, 2); zero where none was found.
    """

    profile: Tensor
    signal: Tensor
    reliability: Tensor
    count: Tensor
    admitted: Tensor
    strain: Tensor
    agreement: Tensor
    score: Tensor
    repeats: Tensor
    basis: Tensor

    def __len__(self) -> int:
        return len(self.profile)

    def __getitem__(self, index) -> SymmetryFeatures:
        return SymmetryFeatures(*(getattr(self, f.name)[index] for f in fields(self)))

    @property
    def found(self) -> Tensor:
        """Whether a lattice was found, (B,)."""
        return self.repeats > 0

    @classmethod
    def cat(cls, parts: Sequence[SymmetryFeatures]) -> SymmetryFeatures:
        """Join batches."""
        return cls(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def pack(self) -> Tensor:
        """As one row of numbers for each image, (B, ``PACKED``), for data loaders."""
        return torch.cat(
            [
                getattr(self, f.name).flatten(1).float()
                if getattr(self, f.name).dim() > 1
                else getattr(self, f.name)[:, None]
                for f in fields(self)
            ],
            1,
        )

    @classmethod
    def unpack(cls, rows: Tensor) -> SymmetryFeatures:
        """The inverse of :meth:`pack`."""
        shaped, start = {}, 0
        for name, shape in _SHAPES.items():  # by slices, which a symbolic trace can follow
            stop = start + int(np.prod(shape))
            shaped[name] = rows[:, start:stop].unflatten(1, shape) if shape else rows[:, start]
            start = stop
        return cls(**shaped | {"admitted": shaped["admitted"] > 0.5})

    def arrays(self) -> dict[str, np.ndarray]:
        """As numpy arrays by name, for storing."""
        return {f.name: getattr(self, f.name).cpu().numpy() for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays) -> SymmetryFeatures:
        """The inverse of :meth:`arrays`."""
        return cls(*(torch.from_numpy(np.asarray(arrays[f.name])) for f in fields(cls)))


_SHAPES: dict[str, tuple[int, ...]] = {
    "profile": (len(OPERATION_CLASSES), SHELLS),
    "signal": (SHELLS,),
    "reliability": (SHELLS,),
    "count": (SHELLS,),
    "admitted": (17,),
    "strain": (17,),
    "agreement": (17,),
    "score": (),
    "repeats": (),
    "basis": (2, 2),
}
PACKED = sum(int(np.prod(shape)) for shape in _SHAPES.values())


@dataclass(frozen=True)
class Measurement:
    """Everything found out about one image on the way to its symmetry features.

    Attributes:
        lattice: its lattice.
        average: its averaged cell.
        spectrum: the cell's waves.
        maps: how they correlate with their images under the operations of the lattice.
        fits: what each of the 17 groups makes of it, ``None`` where the lattice does not admit the group.
        mask: the part of the image that was used, (H, W); ``None`` for all of it.
    """

    lattice: Lattice
    average: CellAverage
    spectrum: Spectrum
    maps: OperationMaps
    fits: list[Fit | None]
    mask: Tensor | None = None


@dataclass(frozen=True)
class Scan:
    """An image as it was measured.

    Attributes:
        image: without the drift of its lines, (H, W).
        shift: the largest that was removed, in pixels; 0 for none.
        measurement: what was found; ``None`` without a lattice.
    """

    image: Tensor
    shift: float
    measurement: Measurement | None


def measure(
    image: Tensor,
    lattice: Lattice | None = None,
    *,
    size: int = SIZE,
    mask: Tensor | None = None,
    expected: Array | None = None,
) -> Measurement | None:
    """Lattice, unit cell and group fits of one grey image (H, W); ``None`` if no lattice is found.

    Of an image with channels (C, H, W), the lattice and the groups are those that hold in every channel, each weighed
    by its power. Only the pixels of a mask (H, W) count, all if it is not given. Where a part of the image is empty up
    to the border, that part is left out as well if more of the rest repeats without it. A basis that is expected spares
    a search where its lattice holds.
    """
    searched = lattice is None
    if searched:
        lattice, mask = _lattice_in_mask(image, mask, expected)
    if lattice is None:
        return None
    average, s = _averaged(image, lattice, size, mask)
    while searched and lattice.score < CHANCE.repeats:
        grey = image if image.dim() == 2 else image.mean(0)
        small = cell_that_is_shown(grey, lattice.basis, s, mask)
        area = grey.numel() if mask is None else int(mask.sum())
        smaller = None if small is None else lattice_near(shift_map(image, mask), area, small)
        if smaller is None:
            break
        lattice = smaller
        average, s = _averaged(image, lattice, size, mask)
    basis = average.basis[:1]
    maps = correlate_operations(s, basis)
    return Measurement(lattice, average, s, maps[0], fit_groups(s, basis, maps=maps)[0], mask)


def _averaged(image: Tensor, lattice: Lattice, size: int, mask: Tensor | None) -> tuple[CellAverage, Spectrum]:
    basis = torch.from_numpy(lattice.basis).to(image)
    channels = image if image.dim() == 3 else image[None]
    average = average_cell(channels, basis.expand(len(channels), 2, 2), size=size, mask=mask)
    return average, spectrum(average, joint=True)


def _lattice_in_mask(
    image: Tensor, known: Tensor | None, expected: Array | None
) -> tuple[Lattice | None, Tensor | None]:
    whole = find_lattice(image, known, expected=expected)
    mask = field_mask(image if image.dim() == 2 else image[0])
    if mask is None:
        return whole, known
    mask = mask if known is None else mask & known
    part = find_lattice(image, mask, expected=expected)
    if part is None or (whole is not None and part.score < whole.score + _BETTER):
        return whole, known
    return part, mask


def measure_scan(image: Tensor, *, mask: Tensor | None = None, expected: Array | None = None) -> Scan:
    """:func:`measure` an image, (H, W) or (C, H, W), without the drift of its lines if more of it then repeats.

    In a bent scan only distant parts may match, with a lattice too coarse by far: that calls for a second look as well.
    Where but few pixels are missing from a mask, what stands in their place is taken along when lines are shifted. Of
    several channels no drift is taken off.
    """
    m = measure(image, mask=mask, expected=expected)
    if image.dim() == 3:
        return Scan(image, 0.0, m)
    if m is not None and (m.mask is not mask or _looks_straight(image, m)):
        return Scan(image, 0.0, m)
    if mask is not None and mask.double().mean() < _NEARLY_ALL:
        return Scan(image, 0.0, m)
    found = correct_drift(image, m and m.lattice)
    if found is None or found[1] == 0:
        return Scan(image, 0.0, m)
    straight = measure(found[0], expected=expected)
    if straight is None or straight.lattice.score < _LEAST:
        return Scan(image, 0.0, m)
    if m is not None and twice(m.lattice.basis, image.shape) and not twice(straight.lattice.basis, image.shape):
        return Scan(image, 0.0, m)  # a lattice of few translations that happen to hold
    if merit(straight.lattice) < merit(m and m.lattice) + _BETTER:
        return Scan(image, 0.0, m)
    return Scan(*found, straight)


def _looks_straight(image: Tensor, m: Measurement) -> bool:
    """Whether there is no need to look for drift: nearly all repeats, or the waves of the lattice show none."""
    lattice = m.lattice
    many = lattice.repeats >= _MANY
    if not many and repeats_within(m.spectrum)[0] > _WITHIN:
        return False
    if lattice.score >= (_MOST if many else _ALL):
        return True
    return lattice.score >= _FAIR and is_straight(image, lattice, m.average.cell[0])


@torch.no_grad()
def extract_features(images: Tensor, *, scans: bool = False) -> SymmetryFeatures:
    """Symmetry features of images of any brightness and contrast; the mean of their channels is used.

    Args:
        images: ``(B, C, H, W)``.
        scans: look for drift of their lines as well.
    """
    grey = images.mean(1)
    grey = grey - grey.mean((-2, -1), keepdim=True)
    grey = grey / grey.std((-2, -1), keepdim=True).clamp(min=1e-12)
    look = (lambda image: measure_scan(image).measurement) if scans else measure
    return SymmetryFeatures.cat([features_of(look(image.contiguous())) for image in grey])


def features_of(measurement: Measurement | None) -> SymmetryFeatures:
    """The features of one measurement, as a batch of one; all zero without a lattice."""
    profile = torch.zeros(1, len(OPERATION_CLASSES), SHELLS)
    admitted, strain, agreement = torch.zeros(1, 17, dtype=torch.bool), torch.ones(1, 17), torch.zeros(1, 17)
    if measurement is None:
        empty = torch.zeros(1, SHELLS)
        one = torch.zeros(1)
        return SymmetryFeatures(
            profile, empty, empty, empty, admitted, strain, agreement, one, one, torch.zeros(1, 2, 2)
        )
    s = measurement.spectrum
    total = s.signal.sum(-1, keepdim=True).clamp(min=1e-12)
    start = 0
    for label, fit in enumerate(measurement.fits):
        classes = int(CLASS_GROUP.eq(label).sum())
        if fit is not None:
            admitted[0, label], strain[0, label], agreement[0, label] = True, fit.strain, fit.agreement
            profile[0, start : start + classes] = fit.shells.float() / total.float()
        start += classes
    lattice = measurement.lattice
    return SymmetryFeatures(
        profile,
        (s.signal / total).float(),
        s.reliability.float(),
        s.count.float(),
        admitted,
        strain,
        agreement,
        torch.tensor([lattice.score]),
        torch.tensor([lattice.repeats]),
        torch.from_numpy(lattice.basis).float()[None],
    )
