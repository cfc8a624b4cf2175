"""Text from outside, such as file names and messages of parsers, made safe to print on a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""What a terminal would act on, or could not show, as its escape.

    >>> printable("a\n\x1b[31mb"), printable("café")
    ('a\\n\\x1b[31mb', 'café')
    """
    shown = str(text)
    return shown if shown.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def one_line(text: object, longest: int = 2000) -> str:
    r"""A message as one line of printable text, cut off where it is too long; an empty one by its type.

    >>> one_line("two\n lines"), one_line("a" * 9, 5), one_line(ValueError())
    ('two lines', 'aa...', 'ValueError')
    """
    words = printable(" ".join(str(text).split())) or type(text).__name__
    return words if len(words) <= longest else words[: longest - 3] + "..."
