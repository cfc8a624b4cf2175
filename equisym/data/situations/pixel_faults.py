"""Kind 9: colour that is lost in grey, masks, missing and broken pixels, offsets and types."""

from __future__ import annotations

import numpy as np

from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import Array, Motif, gaussian, image, noisy, of_group, vectors
from equisym.data.situations.situation import Situation, seeded, situation

_SIZE = 240
_LUMA = np.array([0.2125, 0.7154, 0.0721])


def situations() -> list[Situation]:
    """Patterns of a group whose pixels are harder to read than they should be."""
    found = []
    for name, (high, below, step) in {
        "rows of two colours": ("p4m", "pmm", (1, 0)),
        "chequered colours": ("p4m", "p4m", (1, 1)),
        "colours alone, rows": ("flat", "pmm", (1, 0)),
    }.items():
        found.append(situation("colour", f"{high} in grey, {name}", below, lambda h=high, s=step: _coloured(h, s)))
    found.append(situation("colour", "p6m in grey, two colours in turn", "p3m1", _honeycomb))
    found.append(situation("colour", "p4 in red alone on p4m grey", "p4", _red))
    ways = {
        "hot pixel": _hot,
        "offset 1e9": lambda p: p + 1e9,
        "dead lines": _dead_lines,
        "NaN border": _nan_border,
        "masked corner": _masked,
        "NaN stripe": _nan_stripe,
        "uint8": lambda p: np.round(255 * (p - p.min()) / np.ptp(p)).astype(np.uint8),
        "uint16 dark": lambda p: (1000 + 60 * (p - p.min()) / np.ptp(p)).astype(np.uint16),
        "inverted": lambda p: -p,
        "tiny values": lambda p: 1e-12 * p,
        "saturated": lambda p: np.clip(p, None, np.quantile(p, 0.93)),
        "salt and pepper": _salt,
        "infinite pixels": _infinite,
        "masked bright bar": _masked_bar,
    }
    for k, (words, change) in enumerate(ways.items()):
        for name in (
            ("p4m", "p3m1", "pgg", "cmm", "p6", "p2")[k % 6],
            ("p31m", "p4g", "pmm", "p6m", "pm", "p4")[k % 6],
        ):
            found.append(situation("pixels", f"{name}, {words}", name, lambda n=name, f=change: f(plain(n))))
    return found


def plain(name: str) -> Array:
    """A pattern of a group with little noise."""
    return noisy(
        image(of_group(name, basis_of(name, 22.0, 17.0), 6, 2 if name not in ("p2", "pm") else 3), _SIZE), 0.04, 12
    )


def _hot(p: Array) -> Array:
    p = p.copy()
    p[101, 77] += 1000 * p.std()
    return p


def _dead_lines(p: Array) -> Array:
    p = p.copy()
    p[60], p[141:143], p[:, 199] = p.min(), p.max(), p.min()
    return p


def _nan_border(p: Array) -> Array:
    page = np.full((_SIZE + 70, _SIZE + 46), np.nan)
    page[30 : 30 + _SIZE, 16 : 16 + _SIZE] = p
    return page


def _nan_stripe(p: Array) -> Array:
    y, x = np.mgrid[:_SIZE, :_SIZE]
    return np.where(np.abs(x - y - 20) < 14, np.nan, p)


def _masked(p: Array) -> Array:
    p = p.copy()
    hidden = np.zeros(p.shape, bool)
    hidden[:110, 130:] = True
    p[hidden] = 40 * p.max() * seeded("masked").uniform(size=int(hidden.sum()))
    return np.ma.array(p, mask=hidden)


def _masked_bar(p: Array) -> Array:
    p = p.copy()
    hidden = np.zeros(p.shape, bool)
    hidden[200:] = True
    p[hidden] = 25 * p.max()
    return np.ma.array(p, mask=hidden)


def _salt(p: Array) -> Array:
    rng = seeded("salt")
    at = rng.uniform(size=p.shape)
    return np.where(at < 0.01, p.min() - 3 * p.std(), np.where(at > 0.99, p.max() + 3 * p.std(), p))


def _infinite(p: Array) -> Array:
    at = seeded("infinite").uniform(size=p.shape)
    return np.where(at < 0.001, np.inf, np.where(at > 0.999, np.nan, p))


def _balance(red: Array) -> Array:
    """Green that keeps the grey as it is when red changes."""
    return -red * _LUMA[0] / _LUMA[1]


def _coloured(high: str, step: tuple[int, int]) -> Array:
    """Spots of one grey, alternately redder and greener; or colours on an even grey."""
    basis = vectors(24, 24, 90, 9)
    grey = Motif(basis, [(0, 0, gaussian(4.2))], (3, 6))
    m, n = 1 + step[0], 1 + step[1]
    pairs = [
        (i / m, j / n, gaussian(4.2, 1 - 2 * ((i * step[0] + j * step[1]) % 2))) for i in range(m) for j in range(n)
    ]
    hue = Motif(basis * np.array([m, n]), pairs, (3, 6))
    level, red = image(grey, _SIZE), 0.35 * image(hue, _SIZE)
    level = 0.4 + 0.4 * level * (high != "flat")
    return noisy(np.stack((level + red, level + _balance(red), level), -1), 0.02, 3)


def _honeycomb() -> Array:
    basis = vectors(26, 26, 120, 9)
    grey = Motif(basis, [(1 / 3, 2 / 3, gaussian(4)), (2 / 3, 1 / 3, gaussian(4))], (3, 6))
    hue = Motif(basis, [(1 / 3, 2 / 3, gaussian(4, 1)), (2 / 3, 1 / 3, gaussian(4, -1))], (3, 6))
    level, red = 0.4 + 0.4 * image(grey, _SIZE), 0.35 * image(hue, _SIZE)
    return noisy(np.stack((level + red, level + _balance(red), level), -1), 0.02, 4)


def _red() -> Array:
    basis = vectors(26, 26, 90, 9)
    turning = of_group("p4", basis, 2, 2)
    grey = Motif(basis, [(0, 0, gaussian(5))], turning.corner)
    level, red = 0.4 + 0.3 * image(grey, _SIZE), 0.3 * image(turning, _SIZE)
    return noisy(np.stack((level + red, level + _balance(red), level), -1), 0.02, 5)
