"""The classifier of periodic images: from pixels or a file to a :class:`Prediction`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from equisym.crystal import Measurement, SymmetryFeatures, correlate, features_of, operation_scores, symmetrise
from equisym.crystal.shell_correlation import class_sizes, whitening_filters
from equisym.groups import WALLPAPER_GROUPS
from equisym.predict.map import SymmetryMap, needed_window, placed, starts, suitable_window
from equisym.predict.measurement import Found, Image, inspect, read_pixels
from equisym.predict.prediction import OperationResidual, Prediction
from equisym.predict.preprocessing import Pixels, halves
from equisym.predict.pretrained import Model, bundled, load_classifier, log_probabilities
from equisym.predict.square_pixels import PixelSize

_WORTH_WORKERS = 8  # images; fewer are answered before processes have started
_LEAST = 0.25  # with a lower probability for the best group, the answer is refused


class SymmetryClassifier:
    """Names the wallpaper group of a periodic image, with the measurements behind it, or says why it cannot.

    The same image gives the same answer every time, alone or in a batch.

    Args:
        model: a network that reads symmetry features, such as :class:`equisym.models.SymNet`, or one of pixels in a
            :class:`equisym.models.PixelClassifier`.

    >>> from equisym.data import render
    >>> result = SymmetryClassifier.from_pretrained("crystal").predict(render("p4m", "noise", seed=1, size=96))
    >>> result.group, result.rotation_order, result.bravais, result.refused
    ('p4m', 4, 'square', None)
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def from_pretrained(cls, name: str | Path | None = None) -> SymmetryClassifier:
        """Load a bundled model by name, or a file written by training; works offline.

        Args:
            name: ``"symnet"``, ``"crystal"``, ``"e2resnet"`` or a ``.safetensors`` file; the best bundled model if not
                given.

        Raises:
            ValueError: if there is no such model.
        """
        return cls(load_classifier(bundled()[0] if name is None else name))

    def predict(self, image: Image, *, pixel_size: PixelSize = None, mask: Any = None) -> Prediction:
        """Answer for one image.

        Args:
            image: array (H, W) or (H, W, C) of any real type, tensor (H, W) or (C, H, W), or the path of a file that
                :func:`equisym.data.readers.read_image` knows. Pixels that are NaN, infinite, fully transparent or
                masked (:class:`numpy.ma.MaskedArray`) are left out.
            pixel_size: in nanometres, if known, one number or height and width; that of the file by default.
            mask: array (H, W), true where pixels count; all if not given.

        Raises:
            ValueError: if it is not an image, or the file is damaged.
            FileNotFoundError: if there is no such file.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the same sums on every machine, alone or in a batch
        try:
            return self._answered(image, pixel_size, mask)
        finally:
            torch.set_num_threads(threads)

    def predict_batch(
        self, images: Sequence[Image] | Tensor, *, pixel_size: PixelSize = None, workers: int | None = None
    ) -> list[Prediction]:
        """Answers for several images of any sizes, by several processes.

        Args:
            images: a list, or an array or tensor whose first axis counts them.
            pixel_size: in nanometres, if known, one number or height and width; that of each file by default.
            workers: processes; by default one for each of torch's threads, and none for fewer than eight images.

        Raises:
            ValueError, FileNotFoundError: as :meth:`predict`, for the first invalid image.
        """
        if workers is None:
            workers = torch.get_num_threads() if len(images) >= _WORTH_WORKERS else 0
        jobs = _Jobs(self, images, pixel_size)
        if workers < 2:
            return [_raised(jobs[i]) for i in range(len(jobs))]
        return [_raised(result) for result in DataLoader(jobs, batch_size=None, num_workers=workers)]

    def map(
        self,
        image: Image,
        window: int | None = 256,
        step: int | None = None,
        *,
        pixel_size: PixelSize = None,
        mask: Any = None,
        workers: int | None = None,
    ) -> SymmetryMap:
        """Answers on a sliding window, and their vote.

        Args:
            image: what :meth:`predict` takes.
            window: side of the square windows in pixels; ``None`` for one that suits the lattice: ten cells along a
                side, at least 64 pixels.
            step: from one window to the next; half a window if not given.
            pixel_size: as in :meth:`predict`.
            mask: as in :meth:`predict`.
            workers: as in :meth:`predict_batch`.

        Raises:
            ValueError: if it is not an image, or a window does not fit into it.

        >>> from equisym.data import render
        >>> classifier = SymmetryClassifier.from_pretrained("crystal")
        >>> found = classifier.map(render("p4m", "noise", seed=1, size=160), window=96)
        >>> found.group, found.groups.shape, bool(abs(found.strain).max() < 0.01)
        ('p4m', (3, 3), True)
        """
        pixels, side = read_pixels(image, pixel_size, mask)
        if window is None:
            window = self._window_for(pixels)
        step = max(1, window // 2) if step is None else step
        if not 16 <= window <= min(pixels.shape) or step < 1:
            height, width = pixels.shape
            raise ValueError(
                f"window must be 16 to {min(pixels.shape)} pixels for an image of {width} x {height}, and step at "
                f"least 1 (got window {window}, step {step})"
            )
        rows, columns = (starts(length, window, step) for length in pixels.shape)
        places = [(x, y) for y in rows for x in columns]
        parts = [pixels.cut(slice(y, y + window), slice(x, x + window)).array() for x, y in places]
        found = self.predict_batch(parts, pixel_size=side, workers=workers)
        answers = iter([placed(w, x, y, pixels.shape) for w, (x, y) in zip(found, places, strict=True)])
        windows = tuple(tuple(next(answers) for _ in columns) for _ in rows)
        result = SymmetryMap(window, rows, columns, windows, pixels.shape, side)
        if result.vote.answered * 2 >= len(places):
            return result
        whole = self.predict(pixels.array(), pixel_size=side)
        needed = 0 if whole.lattice is None or whole.refused else needed_window(whole.lattice)
        return replace(result, needed=needed) if needed > window else result

    def _window_for(self, pixels: Pixels) -> int:
        """A window that suits the lattice of the image, or of the first of its parts that shows one."""
        for part in (pixels, *halves(pixels), *halves(pixels, 4)):
            found = inspect(part.array(), None)
            if found.refused is None:
                return suitable_window(found.about["lattice"], pixels.shape)
        return min(256, *pixels.shape)

    @torch.no_grad()
    def _answered(self, image: Image, pixel_size: PixelSize, mask: Any = None) -> Prediction:
        found = inspect(image, pixel_size, mask)
        if found.refused is not None:
            return Prediction(found.refused, **found.about)
        e = features_of(found.measurement)
        view, m = found.view, found.measurement
        assert view is not None
        assert m is not None
        probabilities = log_probabilities(self.model, e, view.grey, m.lattice.basis)[0].double().softmax(-1)
        if probabilities.max() < _LEAST:
            likely = [
                f"{WALLPAPER_GROUPS[int(k)].name} {100 * probabilities[k]:.0f} %" for k in probabilities.topk(3)[1]
            ]
            refused = f"cannot tell: no group reaches {100 * _LEAST:.0f} %; the likeliest are {', '.join(likely)}"
            return Prediction(refused, **found.about, residuals=_residuals(e))
        return _answer(found, e, probabilities.tolist())


@dataclass(frozen=True)
class _Jobs(Dataset[Prediction | Exception]):
    """The answer about each image; invalid images are returned as exceptions, to be raised outside of the worker."""

    classifier: SymmetryClassifier
    images: Sequence[Image] | Tensor
    pixel_size: PixelSize

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


def _answer(found: Found, e: SymmetryFeatures, probabilities: list[float]) -> Prediction:
    view, m = found.view, found.measurement
    assert view is not None
    assert m is not None
    order = sorted(range(17), key=lambda label: -probabilities[label])
    fits = m.fits
    answer = next(label for label in order if fits[label] is not None)
    if answer != order[0]:  # a group that the lattice rules out is never the answer
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


def _residuals(e: SymmetryFeatures) -> dict[str, float]:
    """Residual of each group: the fraction of the cell's signal that is lost when it is projected onto the group."""
    values = correlate(e, whitening_filters(e, (0.0,))).value[0, :, 0].tolist()
    out, start = {}, 0
    for group in WALLPAPER_GROUPS:
        sizes = class_sizes(group.name)
        if bool(e.admitted[0, group.label]):
            shared = 1 + sum(n * values[start + i] for i, n in enumerate(sizes))
            out[group.name] = max(0.0, 1 - shared / len(group.primitive_operations))
        start += len(sizes)
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
