"""Select one of a file's images: ``FILE#NAME``, ``FILE#3``, ``FILE#t,z,c`` or ``FILE#NAME/3``."""

from __future__ import annotations

from equisym.data.readers.signal import NotReadableError, ReadError, Signal

_SHOWN = 8  # names in a message


def choose(signals: list[Signal], part: str | None) -> tuple[Signal, tuple[int, ...]]:
    """The signal and the position in its stack that a selector picks.

    Args:
        signals: contents of the file.
        part: the text after ``#``, or ``None``.

    Raises:
        ReadError: if there is no such image, or several match.
    """
    images = [s for s in signals if _is_image(s)]
    if not signals or not images:
        raise NotReadableError(_no_image(signals))
    if part is None:
        signal, numbers = _only(images), ()
    else:
        signal, numbers = _named(signals, images, part)
    named = "" if len(images) == 1 else f"{signal.name or images.index(signal)}/"
    return signal, signal.index(_checked(signal, numbers, part, named))


def _is_image(signal: Signal) -> bool:
    sides = [n for a, n in zip(signal.axes, signal.shape, strict=True) if a in "yx"]
    return _kind(signal) in "biuf" and len(sides) == 2 and min(sides) > 1


def _kind(signal: Signal) -> str:
    import numpy as np

    return np.dtype(signal.dtype).kind


def _no_image(signals: list[Signal]) -> str:
    if not signals:
        return "holds no image"
    if any(_kind(s) == "c" for s in signals):
        return "holds complex numbers, such as a Fourier transform; images hold real numbers"
    if len(signals) == 1:
        only = signals[0]
        if _kind(only) not in "biuf":
            return f"holds values of type {only.dtype}; images hold real numbers"
        return f"holds an array of shape {only.shape}; an image has two dimensions, or three with colour"
    return f"holds no image among its {len(signals)} arrays"


def _only(images: list[Signal]) -> Signal:
    if len(images) == 1:
        return images[0]
    raise ReadError(f"holds {len(images)} images; say which by FILE#NAME, NAME one of {_names(images)}")


def _names(images: list[Signal]) -> str:
    names = [s.name or str(i) for i, s in enumerate(images)]
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _named(signals: list[Signal], images: list[Signal], part: str) -> tuple[Signal, tuple[int, ...]]:
    """By name, by number among several, or the only one with numbers in its stack."""
    text = part.strip("/")
    for signal in [*images, *signals]:
        if signal.name and text == signal.name:
            if not _is_image(signal):
                raise NotReadableError(f"#{part} is not an image: {_no_image([signal])}")
            return signal, ()
    name, _, last = text.rpartition("/")
    numbers = _numbers(last)
    if numbers is not None and name:
        for i, signal in enumerate(images):
            if name in (signal.name, str(i)):
                return signal, numbers
    if numbers is not None and not name:
        if len(images) == 1:
            return images[0], numbers
        if len(numbers) == 1 and numbers[0] < len(images):
            return images[numbers[0]], ()
    raise ReadError(f"has no image #{part}{_offer(images)}")


def _offer(images: list[Signal]) -> str:
    """What to write instead."""
    if len(images) > 1 or images[0].name:
        return f"; say which by FILE#NAME, NAME one of {_names(images)}"
    return f": it holds {_stack(images[0], '')}" if images[0].stack else ": it holds one image"


def _stack(signal: Signal, named: str) -> str:
    """How to pick one of a stack; ``named`` stands before the numbers."""
    stack = signal.stack
    if len(stack) == 1:
        n = stack[0][1]
        return f"a stack of {n} images; say which by FILE#{named}0 .. FILE#{named}{n - 1}"
    letters, sizes = ",".join(a for a, _ in stack), " x ".join(str(n) for _, n in stack)
    zeros = ",".join("0" for _ in stack)
    return f"a stack of {sizes} images; say which by FILE#{named}{letters}, such as FILE#{named}{zeros}"


def _numbers(text: str) -> tuple[int, ...] | None:
    parts = text.split(",")
    return tuple(map(int, parts)) if all(p.isascii() and p.isdigit() and len(p) < 10 for p in parts) else None


def _checked(signal: Signal, numbers: tuple[int, ...], part: str | None, named: str) -> tuple[int, ...]:
    """Numbers that fit the stack, one for each of its axes."""
    stack = signal.stack
    if numbers and not stack:
        if numbers == (0,):
            return ()
        raise ReadError(f"has no image #{part}: it holds one image")
    if len(numbers) != len(stack):
        raise ReadError(f"holds {_stack(signal, named)}")
    for number, (letter, count) in zip(numbers, stack, strict=True):
        if number >= count:
            axis = "" if len(stack) == 1 else f" along {letter}"
            raise ReadError(f"has no image #{part}; they are #{named}0 .. #{named}{count - 1}{axis}")
    return numbers
