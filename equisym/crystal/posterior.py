"""Probabilities of the 17 groups from what each group leaves of the cell and from the metric of the lattice."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from equisym.crystal.shell_correlation import class_sizes, correlate, whitening_filters
from equisym.crystal.symmetry_features import CLASS_GROUP, SymmetryFeatures
from equisym.crystal.tuned_constants import DISTORTIONS, PosteriorOptions
from equisym.groups import WALLPAPER_GROUPS

_HOLOHEDRIES = {
    "oblique": "p2",
    "rectangular": "pmm",
    "centred rectangular": "cmm",
    "square": "p4m",
    "hexagonal": "p6m",
}
_CONSTRAINTS = {"oblique": 0, "rectangular": 1, "centred rectangular": 1, "square": 2, "hexagonal": 2}

OPTIONS = PosteriorOptions()
_ORDER = torch.tensor([float(len(g.primitive_operations)) for g in WALLPAPER_GROUPS])
_ROTATION = torch.tensor([g.rotation_order for g in WALLPAPER_GROUPS])
_HOLOHEDRY = [WALLPAPER_GROUPS[_HOLOHEDRIES[g.bravais]].label for g in WALLPAPER_GROUPS]
_FREE = torch.tensor([float(_CONSTRAINTS[g.bravais]) for g in WALLPAPER_GROUPS])


def group_residuals(e: SymmetryFeatures, *, whitening: float = 0.0) -> Tensor:
    r"""Share of each cell's signal that projecting it onto each group takes away, free of noise bias; (B, 17).

    .. math:: r_G = 1 - \frac{1}{|G|} \sum_{g \in G} \rho_g

    with the correlation of the cell and its image under each operation at the group's best origin. Infinite where the
    lattice does not admit the group. What a group leaves, its subgroups leave at most: its origin serves them too.
    """
    value = correlate(e, whitening_filters(e, (whitening,))).value[..., 0]
    operations, above = _group_sums()
    out = (1 - (1 + value @ operations.to(value)) / _ORDER).clamp(min=0)
    out = torch.where(e.admitted, out, torch.inf)
    return torch.where(above, out[:, None], torch.inf).amin(-1)


@lru_cache
def _group_sums() -> tuple[Tensor, Tensor]:
    """How many operations of each class each group has, (39, 17); and whether a group contains another, (17, 17)."""
    sizes = torch.tensor([size for group in WALLPAPER_GROUPS for size in class_sizes(group.name)], dtype=torch.float64)
    operations = sizes[:, None] * (CLASS_GROUP[:, None] == torch.arange(17))
    above = torch.eye(17, dtype=torch.bool)
    for group in WALLPAPER_GROUPS:
        above[group.label, [g.label for g in group.supergroups]] = True
    return operations, above


def metric_evidence(
    strain: Tensor, imperfection: Tensor, options: PosteriorOptions = OPTIONS, *, telling: Tensor | float = 0.0
) -> Tensor:
    r"""Logarithm of how much likelier a lattice's metric is under each group than under none, (B, 17).

    .. math:: M_G(\epsilon) = d_G\, s + \log\Bigl( e^{-\epsilon^2 / 2 \sigma^2}
              + w \lambda^2 (\sigma / \sigma')^{d_G} e^{-\epsilon^2 / 2 \sigma'^2} \Bigr)

    for the :math:`d_G` constraints of the group's metric: 0 oblique, 1 rectangular, 2 square or hexagonal.

    Args:
        strain: of the lattice against each group's, (B, 17).
        imperfection: of the image, 0 to 1, (B,).
        options: constants.
        telling: how far the motif tells that it has the group, 0 to 1, (B, 17).
    """
    sigma = options.distortion * (1.5 * imperfection).clamp(options.rigid, 1)[:, None]
    told = sigma + telling * (options.telling - sigma).clamp(min=0)
    usual = torch.exp(-0.5 * (strain / told).square())
    wide = max(options.wide, options.distortion)
    rare = options.wild * imperfection.square()[:, None] * (sigma / wide) ** _FREE
    rare = rare * torch.exp(-0.5 * (strain / wide).square())
    return torch.where(_FREE > 0, _FREE * options.special + torch.log(usual + rare + 1e-12), 0.0)


def telling(residual: Tensor, tolerance: float) -> Tensor:
    """How far each group holds where the whole symmetry of its lattice does not, 0 to 1; (B, 17).

    Args:
        residual: of each group, (B, 17).
        tolerance: that the group leaves a fifth of at most, and the lattice's symmetry more than the whole of.
    """
    whole = residual[:, _HOLOHEDRY]
    holds = (2 - 10 * residual / tolerance).clamp(0, 1)
    fails = (whole / tolerance - 1).clamp(0, 1).nan_to_num(posinf=0.0)
    return torch.where(_FREE > 0, holds * fails, 0.0).nan_to_num(0.0)


def imperfection(e: SymmetryFeatures, options: PosteriorOptions = OPTIONS) -> Tensor:
    """How far images are from the perfect ones of a computer, 0 to 1, by the share of them that repeats; (B,)."""
    return ((1 - e.score) / options.imperfect).clamp(0, 1)


def group_energies(e: SymmetryFeatures, options: PosteriorOptions = OPTIONS) -> Tensor:
    r"""Unnormalised log-probabilities of the groups, (B, 17).

    .. math:: E(G) = \beta \bigl( \log_2 |G| - x^{\gamma} - \max(0, x - 1) / u \bigr) + M_G(\epsilon_G), \qquad
              x = r_G / a

    A group gains on a subgroup of half its order while it leaves hardly more of the cell, and loses where what it
    leaves grows beyond the tolerance: between a group that leaves 3 % and one that leaves 22 %, the first; between two
    that leave 1.0 and 1.1 %, the larger. Nothing here depends on the number of cells, so that more of the same pattern
    never makes an answer less sure.

    Args:
        e: symmetry features.
        options: constants.
    """
    residual = group_residuals(e)
    return _cell_energies(e, residual, options) + _metric_energies(e, residual, options)


def _cell_energies(e: SymmetryFeatures, residual: Tensor, options: PosteriorOptions) -> Tensor:
    """What the cell says, (B, 17)."""
    x = residual / allowed(residual, e.strain, options)[:, None]
    lost = x**options.steepness + (x - 1).clamp(min=0) / options.wall
    return (options.surprise * (_ORDER.log2() - lost)).nan_to_num(neginf=-1e4)


def _metric_energies(e: SymmetryFeatures, residual: Tensor, options: PosteriorOptions) -> Tensor:
    """What the lattice says, (B, 17)."""
    tells = telling(residual, options.tolerance) * (options.distortion >= DISTORTIONS["typical"])
    metric = metric_evidence(e.strain, imperfection(e, options), options, telling=tells)
    possible = e.admitted & (e.strain <= options.largest)
    possible[:, WALLPAPER_GROUPS["p1"].label] = True
    return torch.where(possible, metric, -1e4)


def group_probabilities(
    e: SymmetryFeatures, options: PosteriorOptions = OPTIONS, opinion: Tensor | None = None
) -> Tensor:
    r"""Probabilities of the groups, (B, 17).

    .. math:: p = (1 - b \lambda) \Bigl( (1 - t) \bigl( (1 - s)\, \mathrm{softmax}\, E
              + s\, \mathrm{softmax}\, E_1 \bigr) + t\, \mathrm{softmax}\, E_0 \Bigr)
              + b \lambda\, \mathrm{softmax}\, E'

    with the chance s that a perfect image was distorted as by an instrument (E_1), t that a lattice is what it seems,
    however close a special one is (E_0, without the rare distortions), and b that an instrument distorts badly, in
    which case the metric says little (E'). An answer that a distorted lattice would change is therefore never quite
    sure, unless the distortion is said to be none; and one that needs a strain of more than 2.5 times what is usual has
    a probability of .75 at most. Nor is one of an imperfect image that twice the tolerance would
    change: with the chance :math:`u \lambda` the probabilities are those, as long as the likeliest group remains.

    Args:
        e: symmetry features.
        options: constants.
        opinion: log-probabilities of a network, (B, 17), to be added.
    """
    said = torch.zeros(()) if opinion is None else opinion
    residual = group_residuals(e)
    found = _mixed(e, residual, said, options)
    imperfect = imperfection(e, options)
    meant = options.literal * (1 - options.excused * imperfect)
    own = (meant * _exactly(residual, e.strain, options)).double()[:, None]
    if own.any():
        strict = _mixed(e, residual, said, replace(options, tolerance=min(options.strict, options.tolerance)))
        found = (1 - own) * found + own * strict
    chance = options.uneven * imperfect.double()[:, None]
    if chance.any():
        lenient = _mixed(e, residual, said, replace(options, tolerance=2 * options.tolerance))
        both = (1 - chance) * found + chance * lenient
        found = torch.where(both.argmax(-1, True) == found.argmax(-1, True), both, found)
    return no_surer_than_strain_allows(found, e.strain, residual, options)


def no_surer_than_strain_allows(p: Tensor, strain: Tensor, residual: Tensor, options: PosteriorOptions) -> Tensor:
    """Probabilities of which none is near 1 for a group that needs an unusual strain, which its motif does not tell.

    Args:
        p: probabilities, (B, 17).
        strain: of the lattice against each group's, (B, 17).
        residual: of each group, (B, 17).
        options: constants.
    """
    free = strain <= options.far * options.distortion
    free = free | (telling(residual, options.tolerance) > 0.5)
    free[:, WALLPAPER_GROUPS["p1"].label] = True
    first = p.argmax(-1, True)
    surplus = torch.where(free.gather(-1, first), 0.0, (p.gather(-1, first) - options.at_most).clamp(min=0))
    second = torch.where(free, p, -1.0).argmax(-1, True)
    return p.scatter_add(-1, first, -surplus).scatter_add(-1, second, surplus)


def _mixed(e: SymmetryFeatures, residual: Tensor, said: Tensor, options: PosteriorOptions) -> Tensor:
    """The probabilities at one tolerance, over the distortions that the lattice may have had; (B, 17)."""
    cell = _cell_energies(e, residual, options) + said  # distortions leave it as it is

    def answer(options: PosteriorOptions) -> Tensor:
        return (cell + _metric_energies(e, residual, options)).double().softmax(-1)

    usual = answer(options)
    if options.distortion >= DISTORTIONS["typical"]:
        usual = (1 - options.stretched) * usual + options.stretched * answer(replace(options, rigid=1.0))
        usual = (1 - options.true) * usual + options.true * answer(replace(options, wild=0.0))
    bad = replace(options, distortion=max(options.distortion, options.badly), wild=0.0, rigid=1.0)
    chance = options.bad * imperfection(e, options).double()[:, None]
    return (1 - chance) * usual + chance * answer(bad)


def exact_group(e: SymmetryFeatures, lattice_noise: float = 0.0, *, pixels: float = 0.002) -> int:
    """Label of the largest group that one image has within its noise: of the cell, of the lattice, and of pixels.

    Args:
        e: features of one image.
        lattice_noise: strain that the errors of the lattice alone may show.
        pixels: share of the cell's power that sampling on pixels may take.
    """
    noise = float(correlate(e, whitening_filters(e, (0.0,))).error.max())
    holds = (group_residuals(e)[0] <= 2 * noise + pixels) & (e.strain[0] <= 3 * lattice_noise + pixels)
    holds[WALLPAPER_GROUPS["p1"].label] = True
    return int(torch.where(holds, _ORDER - e.strain[0], -1.0).argmax())


def allowed(residual: Tensor, strain: Tensor, options: PosteriorOptions = OPTIONS) -> Tensor:
    """What a group may leave: the tolerance, more where the instrument shows that it deviates, less where not; (B,)."""
    least = _least_broken(residual, strain)
    low, high = options.marks
    deviates = ((least - low / 2) / (low / 2)).clamp(0, 1) * (least < high)
    sound = (1 - _least_broken(residual, strain, _ROTATION > 2) / low).clamp(0, 1)
    return options.tolerance * (1 + (options.leeway - 1) * deviates - (1 - options.sound) * sound)


def _exactly(residual: Tensor, strain: Tensor, options: PosteriorOptions) -> Tensor:
    """Whether a group with more than translations holds exactly, 0 to 1; (B,)."""
    return (1 - _least_broken(residual, strain) / (options.marks[0] / 2)).clamp(0, 1)


def _least_broken(residual: Tensor, strain: Tensor, which: Tensor = _ORDER > 1) -> Tensor:
    """What that group leaves of some that leaves least, of those that the lattice has; (B,)."""
    return torch.where((strain <= 0.02) & which, residual, torch.inf).amin(1)


def distortion_of(value: str | float) -> float:
    """A distortion by name or as a number.

    >>> distortion_of("typical"), distortion_of(0.02)
    (0.01, 0.02)

    Raises:
        ValueError: for another name, or a number that is no strain.
    """
    if isinstance(value, str):
        if value not in DISTORTIONS:
            raise ValueError(f"distortion must be {', '.join(DISTORTIONS)} or a number (got {value!r})")
        return DISTORTIONS[value]
    if not 0 < value <= 0.2:
        raise ValueError(f"distortion must be a strain above 0 and up to 0.2 (got {value}): 0.01 is one per cent")
    return float(value)
