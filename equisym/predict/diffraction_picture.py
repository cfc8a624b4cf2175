"""Whether an image is a diffraction pattern, or a Fourier transform, and no picture of a pattern."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from equisym.predict.look import Look
from equisym.predict.refusal import Refusal, RefusalCode

# set on 18 simulated diffraction patterns of crystals, and on particles, islands and patterns under strong vignettes
_EXPLAINED, _SKEWED = 0.85, 2.0  # of the image, at most; third moment: bright spots on a dark ground
_INVERTED, _WHOLLY = 0.35, 0.65  # correlation of the rest with its own inversion
_CENTRAL = 0.95  # of the greatest brightness, at that centre
_BLUR, _NEAR = 0.05, 0.2  # of the cell's side: of the spots; around the centre


def refuse_diffraction(look: Look, *, part: bool) -> Refusal | None:
    """A refusal, if the spots of an image fall off from one of the brightest, about which they are symmetric.

    Where they fill a ``part`` of the image only, symmetry about a centre that hardly anything breaks is enough.

    What the averaged cell leaves of a real image is noise, or goes with light and thickness. Intensities of diffraction
    differ from spot to spot and are the same at opposite ones, for all of the image about one centre.
    """
    m, rest, grey = look.measurement, look.rest, look.view.grey.double().numpy()
    if m is None or rest is None or rest.explained > _EXPLAINED:
        return None
    spots = ((grey - grey.mean()) ** 3).mean() > _SKEWED * grey.std() ** 3
    if not (spots or part):
        return None
    height, width = rest.left.shape
    waves = np.fft.rfft2(rest.left, (2 * height, 2 * width))
    shared = np.fft.irfft2(waves**2, (2 * height, 2 * width))  # with the rest inverted about each point
    y, x = np.array(np.unravel_index(int(shared.argmax()), shared.shape)) / 2
    inverted = float(shared.max()) / max(float(np.square(rest.left).sum()), 1e-12)
    detail = "spots that fall off from a centre, with opposite ones alike; give an image in real space"
    refusal = Refusal(RefusalCode.DIFFRACTION, detail)
    if inverted < _INVERTED or not spots:
        return refusal if part and inverted > _WHOLLY else None
    side = float(np.sqrt(abs(np.linalg.det(m.lattice.basis))))
    smooth = gaussian_filter(grey, max(1.0, _BLUR * side)) - float(np.median(grey))
    rows, columns = (slice(max(0, round(at - _NEAR * side)), round(at + _NEAR * side) + 1) for at in (y, x))
    central = smooth[rows, columns].max(initial=0.0) > _CENTRAL * smooth.max()
    return refusal if central or (part and inverted > _WHOLLY) else None
