"""The plane group of a periodic function by brute force: every integer matrix of a lattice, at every translation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equisym.groups import WallpaperGroup

Array = NDArray[Any]
Matrix = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Trial:
    """One operation of a lattice, tried on a pattern.

    Attributes:
        strain: half the logarithm of the ratio by which the lattice must be stretched to have the operation.
        residual: what the operation leaves of the pattern at its best translation: 0 if it holds, about 1 by chance.
        kind: order of a rotation ("2" to "6"), or "m", "g" or "c" for mirrors, glides, and both side by side.
        along: for reflections, the length of the shortest lattice vector along the line.
    """

    strain: float
    residual: float
    kind: str
    along: float = 0.0


def reduced(basis: Array) -> Array:
    """The shortest basis of a lattice, with an angle of 90 to 120 degrees."""
    a, b = basis.T
    while True:
        if a @ a > b @ b:
            a, b = b, a
        step = np.rint(a @ b / (a @ a))
        if step == 0:
            break
        b = b - step * a
    if a @ b > 0:
        b = -b
    return np.array([a, b]).T


def trials(cell: Array, basis: Array, orders: int = 16) -> dict[Matrix, Trial]:
    """Try every operation of finite order on a pattern.

    Args:
        cell: one primitive cell on a grid, row along b and column along a, (N, N).
        basis: lattice vectors, columns a and b.
        orders: how many orders of the pattern's spectrum are looked at, each way.
    """
    short = reduced(basis)
    change = np.rint(np.linalg.solve(basis, short)).astype(int)  # columns: the short basis in the given one
    full = np.fft.fft2(cell - cell.mean()) / cell.size
    k = np.arange(-orders, orders + 1)
    ks, ls = np.meshgrid(k, k, indexing="ij")  # along the short a and b
    given = np.linalg.inv(change.T).round().astype(int)
    h = given[0, 0] * ks + given[0, 1] * ls
    i = given[1, 0] * ks + given[1, 1] * ls
    far = (np.abs(h) > cell.shape[1] // 2 - 1) | (np.abs(i) > cell.shape[0] // 2 - 1)
    f = np.where(far, 0, full[i % cell.shape[0], h % cell.shape[1]])
    out = {}
    for w in _matrices():
        out[w] = _try(f, k, np.array(w), short)
    return out


def plane_group(found: dict[Matrix, Trial], strain: float = 1e-3, residual: float = 1e-2) -> str | None:
    """The group of the operations within a strain and a residual; ``None`` if they do not form one.

    >>> y, x = np.mgrid[:32, :32] * 2 * np.pi / 32
    >>> plane_group(trials(np.cos(x) + np.cos(y), np.eye(2)))
    'p4m'
    """
    held = {w: t for w, t in found.items() if t.strain <= strain and t.residual <= residual}
    for v, w in product(held, held):
        both = np.array(v) @ np.array(w)
        if _key(both) not in held:
            return None
    order = max((int(t.kind) for t in held.values() if t.kind.isdigit()), default=1)
    lines = sorted(t.kind for t in held.values() if not t.kind.isdigit())
    if order == 1:
        return {"": "p1", "m": "pm", "g": "pg", "c": "cm"}["".join(lines)]
    if order == 2:
        return {"": "p2", "mm": "pmm", "gm": "pmg", "gg": "pgg", "cc": "cmm"}["".join(lines)]
    if order == 4:
        return "p4" if not lines else "p4m" if "m" in lines else "p4g"
    if order == 6:
        return "p6m" if lines else "p6"
    if not lines:
        return "p3"
    shortest = min(t.along for t in found.values() if t.along)
    along = [t.along for t in held.values() if t.along]
    return "p31m" if min(along) < 1.3 * shortest else "p3m1"


def projected(cell: Array, group: WallpaperGroup, orders: int = 16) -> float:
    """The share of a cell that projecting it onto a group takes away, about the origin where that is least.

    Args:
        cell: one primitive cell in the group's standard setting, row along b and column along a, (N, N).
        group: projected onto.
        orders: how many orders of the cell's spectrum are looked at, each way.
    """
    size = 96  # holds the halves and thirds of the operations' translations
    k = np.arange(-orders, orders + 1)
    ks, ls = np.meshgrid(k, k, indexing="ij")
    full = np.fft.fft2(cell - cell.mean()) / cell.size
    f = full[ls % cell.shape[0], ks % cell.shape[1]]
    at = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1)
    total = np.zeros((size, size))
    for op in group.primitive_operations:
        w = np.array(op.W)
        values = _correlations(_paired(f, k, w), ks, ls, size)
        t = np.array([round(float(c) * size) for c in op.w]) + at - at @ w.T
        total += values[t[..., 0] % size, t[..., 1] % size]
    return float(1 - total.max() / len(group.primitive_operations) / (np.abs(f) ** 2).sum())


def finer(cell: Array) -> float:
    """What a cell leaves to the finer lattice that explains it best: the least share outside of a sublattice's orders.

    Every lattice 2, 3 or 4 times finer is tried. Near 0, the cell is a superstructure of a smaller one.
    """
    power = np.abs(np.fft.fft2(cell - cell.mean())) ** 2
    h, k = (np.rint(np.fft.fftfreq(n, 1 / n)).astype(int) for n in cell.shape[::-1])
    shares = [
        power[(p * h[None] + q * k[:, None]) % n != 0].sum() / power.sum()
        for n in (2, 3, 4)
        for p, q in product(range(n), repeat=2)
        if np.gcd(np.gcd(p, q), n) == 1
    ]
    return float(min(shares))


def _key(w: Array) -> Matrix:
    (a, b), (c, d) = w.tolist()
    return (int(a), int(b)), (int(c), int(d))


def _matrices() -> list[Matrix]:
    """Integer matrices of finite order with entries -1, 0, 1: all that a reduced lattice can have."""
    found = []
    for a, b, c, d in product((-1, 0, 1), repeat=4):
        w = np.array([[a, b], [c, d]])
        if abs(a * d - b * c) == 1 and any((np.linalg.matrix_power(w, n) == np.eye(2)).all() for n in (1, 2, 3, 4, 6)):
            found.append(_key(w))
    return found


def _try(f: NDArray[np.complex128], k: NDArray[np.int_], w: NDArray[np.int_], basis: Array) -> Trial:
    ks, ls = np.meshgrid(k, k, indexing="ij")
    both = _paired(f, k, w)
    shift, best = _highest(both, ks, ls)
    residual = 1 - best / max(float((np.abs(f) ** 2).sum()), 1e-30)
    kind, along = _kind(w, shift, basis)
    return Trial(_strain(w, basis), float(residual), kind, along)


def _paired(f: NDArray[np.complex128], k: NDArray[np.int_], w: NDArray[np.int_]) -> NDArray[np.complex128]:
    """Each wave with the one that an operation takes it to: the Fourier sum of their correlation over translations."""
    ks, ls = np.meshgrid(k, k, indexing="ij")
    limit = k[-1]
    m, n = w[0, 0] * ks + w[1, 0] * ls, w[0, 1] * ks + w[1, 1] * ls  # transposed: how W acts on orders
    outside = (np.abs(m) > limit) | (np.abs(n) > limit)
    there = np.where(outside, 0, f[np.clip(m + limit, 0, 2 * limit), np.clip(n + limit, 0, 2 * limit)])
    return there.conj() * f


def _correlations(spectrum: NDArray[np.complex128], ks: Array, ls: Array, size: int) -> Array:
    """A Fourier sum on a grid of translations over the cell."""
    grid = np.zeros((size, size), complex)
    np.add.at(grid, (ks % size, ls % size), spectrum)
    return np.fft.ifft2(grid).real * size**2


def _highest(spectrum: NDArray[np.complex128], ks: Array, ls: Array) -> tuple[Array, float]:
    """Where the real part of a Fourier sum is highest: on a grid, then by Newton's steps."""
    size = 128
    values = _correlations(spectrum, ks, ls, size)
    best_at, best = np.zeros(2), -np.inf
    for start in np.argsort(values, axis=None)[-3:]:
        t = np.array(np.unravel_index(start, values.shape), float) / size
        for _ in range(8):
            waves = spectrum * np.exp(2j * np.pi * (ks * t[0] + ls * t[1]))
            slope = np.array([(-2 * np.pi * ks * waves.imag).sum(), (-2 * np.pi * ls * waves.imag).sum()])
            curve = [[(ks * ks * waves.real).sum(), (ks * ls * waves.real).sum()]] * 2
            curve[1] = [curve[0][1], (ls * ls * waves.real).sum()]
            hessian = -4 * np.pi**2 * np.array(curve)
            if np.linalg.eigvalsh(hessian).max() >= -1e-12:
                break
            t = t - np.clip(np.linalg.solve(hessian, slope), -0.01, 0.01)
        value = float((spectrum * np.exp(2j * np.pi * (ks * t[0] + ls * t[1]))).real.sum())
        if value > best:
            best_at, best = t, value
    return best_at, best


def _kind(w: NDArray[np.int_], shift: Array, basis: Array) -> tuple[str, float]:
    if np.linalg.det(w) > 0:
        return str(next(n for n in (1, 2, 3, 4, 6) if (np.linalg.matrix_power(w, n) == np.eye(2)).all())), 0.0
    steps = [np.array(v) for v in product(range(-2, 3), repeat=2) if v != (0, 0)]
    fixed = min((v for v in steps if (w @ v == v).all()), key=lambda v: v @ v)
    along = float(np.linalg.norm(basis @ fixed))
    if any((v + w @ v == fixed).all() for v in steps):
        return "c", along
    repeated = shift + w @ shift  # the operation twice: a lattice vector along the line
    count = round(float(repeated @ fixed) / float(fixed @ fixed))
    return ("g" if count % 2 else "m"), along


def _strain(w: NDArray[np.int_], basis: Array) -> float:
    metric, mean, power = basis.T @ basis, np.zeros((2, 2)), np.eye(2)
    for _ in range(12):
        power = power @ w
        mean += power.T @ metric @ power / 12
    low, high = np.sort(np.linalg.eigvals(np.linalg.solve(mean, metric)).real)
    return float(np.log(high / low) / 4)
