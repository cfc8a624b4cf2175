"""The classifier of periodic images: from pixels or a file to a :class:`Prediction`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from equisym.crystal import (
    Evidence,
    Measurement,
    correlate,
    evidence,
    measure,
    operation_scores,
    straighten,
    symmetrise,
)
from equisym.crystal.statistics import class_sizes, whitening_filters
from equisym.data.readers import read_image
from equisym.groups import WALLPAPER_GROUPS
from equisym.models.from_evidence import FromEvidence
from equisym.predict.doubt import FEWEST, Background, refuse_lattice, take_apart
from equisym.predict.judge import bundled, load_judge
from equisym.predict.pixels import LARGEST, View, as_grey, middle, reduced, refuse_pixels, whole
from equisym.predict.prediction import OperationResidual, Prediction

Image = NDArray[Any] | Tensor | str | Path
_WORTH_WORKERS = 8  # images; fewer are answered before processes have started
_STEADY = 0.8  # of the image repeats: no drift need be looked for
_LEAST_BEND, _LEAST_SCORE = 1.0, 0.45  # pixels; of the image repeats without the drift
_LEAST = 0.25  # an answer less likely than this is none
_FINE = 20.0  # pixels: a cell that is smaller after reduction is looked at in the middle of the image instead


class SymmetryClassifier:
    """Says which wallpaper group a periodic image has, with evidence, or why it cannot be said.

    The same image gives the same answer every time, alone or in a batch.

    Args:
        judge: a network that judges evidence, such as :class:`equisym.models.SymNet`.

    >>> from equisym.data import render
    >>> result = SymmetryClassifier.from_pretrained("crystal").predict(render("p4m", "noise", seed=1, size=96))
    >>> result.group, result.rotation_order, result.bravais, result.refused
    ('p4m', 4, 'square', None)
    """

    def __init__(self, judge: FromEvidence) -> None:
        self.judge = judge

    @classmethod
    def from_pretrained(cls, name: str | Path | None = None) -> SymmetryClassifier:
        """Load a bundled model by name, or a file written by training; never from the network.

        Args:
            name: ``"symnet"``, ``"crystal"`` or a ``.safetensors`` file; the best bundled model if not given.

        Raises:
            ValueError: if there is no such model.
        """
        return cls(load_judge(bundled()[0] if name is None else name))

    def predict(self, image: Image, *, pixel_size: float | None = None) -> Prediction:
        """Answer for one image.

        Args:
            image: array (H, W) or (H, W, C) of any real type, tensor (H, W) or (C, H, W), or the path of a file that
                :func:`equisym.data.readers.read_image` knows.
            pixel_size: in nanometres, if known; that of the file by default.

        Raises:
            ValueError: if it is no image, or the file is broken.
            FileNotFoundError: if there is no such file.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same sums whatever the machine, alone or in a batch
        try:
            return self._answered(image, pixel_size)
        finally:
            torch.set_num_threads(threads)

    def predict_batch(
        self, images: Sequence[Image] | Tensor, *, pixel_size: float | None = None, workers: int | None = None
    ) -> list[Prediction]:
        """Answers for several images of any sizes, by several processes.

        Args:
            images: a list, or an array or tensor whose first axis counts them.
            pixel_size: in nanometres, if known; that of each file by default.
            workers: processes; by default one for each of torch's threads, and none for fewer than eight images.

        Raises:
            ValueError, FileNotFoundError: as :meth:`predict`, for the first image that is none.
        """
        if workers is None:
            workers = torch.get_num_threads() if len(images) >= _WORTH_WORKERS else 0
        jobs = _Jobs(self, images, pixel_size)
        if workers < 2:
            return [_raised(jobs[i]) for i in range(len(jobs))]
        return [_raised(result) for result in DataLoader(jobs, batch_size=None, num_workers=workers)]

    @torch.no_grad()
    def _answered(self, image: Image, pixel_size: float | None) -> Prediction:
        found = _inspect(image, pixel_size)
        if found.refused is not None:
            return Prediction(found.refused, **found.about)
        e = evidence(found.measurement)
        probabilities = self.judge.judge(e)[0].double().softmax(-1)
        if probabilities.max() < _LEAST:
            likely = [
                f"{WALLPAPER_GROUPS[int(k)].name} {100 * probabilities[k]:.0f} %" for k in probabilities.topk(3)[1]
            ]
            refused = f"cannot tell: no group reaches {100 * _LEAST:.0f} %; the likeliest are {', '.join(likely)}"
            return Prediction(refused, **found.about, residuals=_residuals(e))
        return _answer(found, e, probabilities.tolist())


@dataclass(frozen=True)
class _Jobs(Dataset[Prediction | Exception]):
    """Images as answers; an image that is none as the error, which a worker process could not raise in one piece."""

    classifier: SymmetryClassifier
    images: Sequence[Image] | Tensor
    pixel_size: float | None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Prediction | Exception:
        try:
            return self.classifier.predict(self.images[index], pixel_size=self.pixel_size)
        except (ValueError, OSError) as error:
            return error


def _raised(result: Prediction | Exception) -> Prediction:
    if isinstance(result, Exception):
        raise result
    return result


@dataclass(frozen=True)
class _Found:
    """What was found in one image before a model is asked."""

    refused: str | None
    about: dict[str, Any]
    view: View | None = None
    measurement: Measurement | None = None


def _inspect(image: Image, pixel_size: float | None) -> _Found:
    if isinstance(image, (str, Path)):
        file = read_image(image)
        image, pixel_size = file.pixels, pixel_size or file.pixel_size
    grey = as_grey(image)
    about: dict[str, Any] = {"shape": grey.shape, "pixel_size": pixel_size}
    refused = refuse_pixels(grey)
    if refused:
        return _Found(refused, about)
    view, m = _look(grey)
    if view.scale > 1:
        about["notes"] = (f"reduced {view.scale}-fold from {grey.shape[1]} x {grey.shape[0]} pixels",)
    elif view.grey.shape != grey.shape:
        about["notes"] = (f"only the middle {LARGEST} pixels were looked at, of {grey.shape[1]} x {grey.shape[0]}",)
    if view.bend:
        bend = f"the lines of the scan drift by up to {view.bend:.1f} pixels, which was taken off first"
        about["notes"] = (*about.get("notes", ()), bend)
    rest = None if m is None else take_apart(view.grey, m)
    refused = refuse_lattice(view.grey, m, rest)
    if m is not None:
        about |= _about_lattice(view, m, rest)
    return _Found(refused, about, view, m)


def _look(grey: NDArray[Any]) -> tuple[View, Measurement | None]:
    """Measure an image at the scale that shows its cell."""
    if max(grey.shape) <= LARGEST:
        return _straightened(whole(grey))
    view = reduced(grey)
    m = measure(view.grey)
    if m is None or np.sqrt(abs(np.linalg.det(m.lattice.basis))) < _FINE or m.lattice.score < 0.3:
        near = middle(grey)
        closer = measure(near.grey)
        if closer is not None and (m is None or closer.lattice.score > 0.8 * m.lattice.score):
            return near, closer
    return view, m


def _straightened(view: View) -> tuple[View, Measurement | None]:
    """Measure an image, without the drift of its lines if it then repeats nearly as well or better.

    In a bent scan only distant parts may match, with a lattice so coarse that it would be refused: that calls for a
    second look as well.
    """
    m = measure(view.grey)
    coarse = m is not None and m.lattice.repeats < FEWEST
    if m is not None and m.lattice.score >= _STEADY and not coarse:
        return view, m
    found = straighten(view.grey)
    if found is None or found[1] < _LEAST_BEND:
        return view, m
    straight = measure(found[0])
    if straight is None or straight.lattice.score < _LEAST_SCORE:
        return view, m
    if m is not None:
        finer = straight.lattice.repeats / m.lattice.repeats
        if finer < (1.5 if coarse else 0.7) or (finer < 1.5 and straight.lattice.score < _STEADY * m.lattice.score):
            return view, m
    return replace(view, grey=found[0], bend=found[1]), straight


def _about_lattice(view: View, m: Measurement, rest: Background | None) -> dict[str, Any]:
    return {
        "lattice": m.lattice.basis * view.scale,
        "lattice_error": m.lattice.uncertainty * view.scale,
        "repeats": m.lattice.repeats,
        "explained": None if rest is None else rest.explained,
        "average": m.average.cell[0].numpy() * view.spread + view.mean,
        "corner": np.array(view.corner),
    }


def _answer(found: _Found, e: Evidence, probabilities: list[float]) -> Prediction:
    view, m = found.view, found.measurement
    assert view is not None
    assert m is not None
    order = sorted(range(17), key=lambda label: -probabilities[label])
    fits = m.fits
    answer = next(label for label in order if fits[label] is not None)
    if answer != order[0]:  # no model should name a group that the lattice rules out
        order.remove(answer)
        order.insert(0, answer)
    fit = fits[answer]
    assert fit is not None
    group = WALLPAPER_GROUPS[answer]
    standard = np.array(fit.setting.transform) @ np.linalg.inv(group.primitive_basis)
    basis = m.lattice.basis
    notes = list(found.about.get("notes", ()))
    if fit.strain > 0.02:
        notes.append(f"the lattice is strained by {100 * fit.strain:.1f} % from {group.bravais}")
    if m.lattice.repeats < 9:
        notes.append(f"few repeats: {m.lattice.repeats:.1f} cells")
    if probabilities[order[0]] < 0.8:
        names = " or ".join(f"{WALLPAPER_GROUPS[k].name} ({100 * probabilities[k]:.0f} %)" for k in order[:2])
        notes.append(f"uncertain: {names}")
    return Prediction(
        None,
        **found.about
        | {
            "probabilities": {WALLPAPER_GROUPS[k].name: probabilities[k] for k in order},
            "cell": basis @ standard * view.scale,
            "origin": basis @ fit.origin.double().numpy() * view.scale + np.array(view.corner),
            "strain": fit.strain,
            "residuals": _residuals(e),
            "operations": _operations(m, answer),
            "symmetrised": symmetrise(m.average.cell[0], fit.setting, fit.origin).numpy() * view.spread + view.mean,
            "notes": tuple(notes),
        },
    )


def _residuals(e: Evidence) -> dict[str, float]:
    """Share of the cell's signal that projecting it onto each group takes away."""
    values = correlate(e, whitening_filters(e, (0.0,))).value[0, :, 0].tolist()
    out, slot = {}, 0
    for group in WALLPAPER_GROUPS:
        sizes = class_sizes(group.name)
        if bool(e.admitted[0, group.label]):
            shared = 1 + sum(n * values[slot + i] for i, n in enumerate(sizes))
            out[group.name] = max(0.0, 1 - shared / len(group.primitive_operations))
        slot += len(sizes)
    return out


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
    for score in operation_scores(m.spectrum, basis)[0]:
        (a, b), (c, d) = score.W
        if score.kind == "rotation" and score.order > 2:  # a rotation and its inverse are one statement
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
