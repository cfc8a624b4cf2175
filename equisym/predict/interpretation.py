"""An answer from measurements and probabilities: its group, residuals, strain and operations, and what is doubtful."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from equisym.crystal import (
    Measurement,
    SymmetryFeatures,
    exact_group,
    group_energies,
    group_residuals,
    operation_scores,
    refine_to_waves,
    symmetrise,
)
from equisym.crystal.tuned_constants import PosteriorOptions
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.measurement import Found
from equisym.predict.phases import phase_residuals
from equisym.predict.prediction import OperationResidual, Prediction
from equisym.predict.refusal import Refusal, RefusalCode

_LEAST = 0.25  # an answer less likely than this is none
_DIFFER = 0.3  # of the way to motifs that have little in common: worth a word
_UNSTRAINED = 0.004  # a smaller strain is not worth a word


def interpret(found: Found, e: SymmetryFeatures, probabilities: list[float], options: PosteriorOptions) -> Prediction:
    """The answer for an image whose cell was measured.

    Args:
        found: what was measured.
        e: its symmetry features.
        probabilities: of the 17 groups, in label order.
        options: constants of the posterior, with the tolerance and the distortion that were asked for.
    """
    view, m = found.view, found.measurement
    assert view is not None
    assert m is not None
    order = sorted(range(17), key=lambda label: -probabilities[label])
    answer = next(label for label in order if m.fits[label] is not None)
    if answer != order[0]:  # no model should name a group that the lattice rules out
        order.remove(answer)
        order.insert(0, answer)
    refusal = found.refusal
    if refusal is None and probabilities[answer] < _LEAST:
        likely = ", ".join(f"{WALLPAPER_GROUPS[k].name} {100 * probabilities[k]:.0f} %" for k in order[:3])
        detail = f"no group reaches {100 * _LEAST:.0f} %; the likeliest are {likely}"
        refusal = Refusal(RefusalCode.CANNOT_TELL, detail)
    fit = m.fits[answer]
    assert fit is not None
    standard = np.array(fit.setting.transform) @ np.linalg.inv(WALLPAPER_GROUPS[answer].primitive_basis)
    basis = m.lattice.basis
    pulled = refine_to_waves(view.grey, m.lattice, m.mask).basis - basis  # what the borders do is part of the error
    residuals = {g.name: float(r) for g, r in zip(WALLPAPER_GROUPS, group_residuals(e)[0], strict=True) if r.isfinite()}
    exact = exact_group(e, _lattice_noise(m))
    notes = [*found.notes, *_doubts(m, order, probabilities)]
    if found.unlike >= _DIFFER and found.explained is not None:
        share = f"{100 * found.explained:.0f} %"
        notes.append(f"the motifs differ from repeat to repeat: what they have in common is {share} of the image")
    if refusal is None:
        notes += _strained(m, answer, e, options)
    return Prediction(
        refusal,
        shape=found.shape,
        pixel_size=found.pixel_size,
        probabilities={WALLPAPER_GROUPS[k].name: probabilities[k] for k in order},
        lattice=basis * view.scale,
        lattice_error=np.hypot(m.lattice.uncertainty, pulled) * view.scale,
        repeats=m.lattice.repeats,
        explained=found.explained,
        average=(m.average.cell[0].numpy() * view.spread + view.mean).astype(np.float32),
        corner=np.array(view.corner),
        region=view.region,
        cell=basis @ standard * view.scale,
        origin=basis @ fit.origin.double().numpy() * view.scale + np.array(view.corner),
        strain=fit.strain,
        strains={g.name: f.strain for g, f in zip(WALLPAPER_GROUPS, m.fits, strict=True) if f is not None},
        residuals=residuals,
        phase_residuals=phase_residuals(m),
        exact=WALLPAPER_GROUPS[exact].name,
        tolerance=options.tolerance,
        operations=_operations(m, answer),
        symmetrised=(symmetrise(m.average.cell[0], fit.setting, fit.origin).numpy() * view.spread + view.mean).astype(
            np.float32
        ),
        notes=tuple(notes),
    )


def _doubts(m: Measurement, order: list[int], probabilities: list[float]) -> list[str]:
    notes = []
    if m.lattice.repeats < 9:
        notes.append(f"few repeats: {m.lattice.repeats:.1f} cells")
    if probabilities[order[0]] < 0.8:
        names = " or ".join(f"{WALLPAPER_GROUPS[k].name} ({100 * probabilities[k]:.0f} %)" for k in order[:2])
        notes.append(f"uncertain: {names}")
    return notes


def _lattice_noise(m: Measurement) -> float:
    """The strain that the errors of the lattice alone may show."""
    error = m.lattice.uncertainty / np.linalg.norm(m.lattice.basis, axis=0)
    return float(np.nan_to_num(error, nan=0.01).max())


def _strained(m: Measurement, answer: int, e: SymmetryFeatures, options: PosteriorOptions) -> list[str]:
    """What is to be said where the answer takes a strain of the lattice for distortion."""
    fit, group = m.fits[answer], WALLPAPER_GROUPS[answer]
    assert fit is not None
    if fit.strain <= max(_UNSTRAINED, 3 * _lattice_noise(m)):
        return []
    rigid = replace(options, distortion=_UNSTRAINED / 2, wide=_UNSTRAINED / 2)
    other = WALLPAPER_GROUPS[int(group_energies(e, rigid)[0].argmax())]
    text = f"the lattice is strained by {100 * fit.strain:.1f} % from {group.bravais}"
    return [text if other == group else f"{text}; {other.name} if the image is not distorted"]


def _operations(m: Measurement, answer: int) -> tuple[OperationResidual, ...]:
    fit = m.fits[answer]
    assert fit is not None
    lines = {"m": "mirror", "g": "glide", "c": "both"}
    held = {
        (op.W, "rotation" if op.determinant > 0 else lines[fit.setting.line_type(i)])
        for i, op in enumerate(fit.setting.operations)
    }
    symbols = {"mirror": "m", "glide": "g", "both": "mg"}
    found, seen = [], set()
    basis = torch.from_numpy(m.lattice.basis)[None]
    for score in operation_scores(m.spectrum, basis, maps=[m.maps])[0]:
        (a, b), (c, d) = score.W
        if score.kind == "rotation" and score.order > 2:  # a rotation and its inverse hold together
            inverse = ((d, -b), (-c, a))
            if inverse in seen:
                continue
            seen.add(score.W)
        angle = None
        if score.kind != "rotation":
            along = next(v for v in (np.eye(2) + np.array(score.W)).T if v.any())
            x, y = m.lattice.basis @ along
            angle = round(float(np.degrees(np.arctan2(y, x)) % 180), 3) % 180
        symbol = str(score.order) if score.kind == "rotation" else symbols[score.kind]
        holds = (score.W, score.kind) in held
        found.append(OperationResidual(symbol, score.W, angle, max(0.0, 1 - score.score), holds))
    return tuple(sorted(found, key=lambda o: (not o.holds, o.residual)))
