"""A page of headings, text, tables and figures, written once and rendered as HTML and as Markdown.

What comes from outside, such as names of runs and files, is text wherever it stands: neither HTML nor Markdown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: Canvas; }
tr.published td { font-style: italic; } tbody tr:hover { background: var(--soft); }
figure { margin: 1.25rem 0; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; background: white; border-radius: 4px; }
details summary { cursor: pointer; margin: 1rem 0; }
th:first-child, td:first-child { white-space: normal; min-width: 11rem; max-width: 18rem; }
@media (max-width: 40rem) { th:first-child, td:first-child { min-width: 0; max-width: 8rem; } }
figcaption { font-size: .9rem; opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
nav a { margin-right: 1rem; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Heading:
    """Opens a section."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of cells; those whose first cell ends in "(published)" are set in italics.

    Attributes:
        heads: of the columns.
        rows: of cells.
        folded: for a long table, the text to click to open it; empty for a table that is always open.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: str = ""


@dataclass(frozen=True)
class Code:
    """Lines of a program or a file, shown as they are.

    Attributes:
        text: the lines.
        language: for colours, such as ``yaml``.
    """

    text: str
    language: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture in a file beside the page.

    Attributes:
        name: of the file.
        caption: what it shows.
    """

    name: str
    caption: str


@dataclass(frozen=True)
class Figure:
    """A picture as SVG text.

    Attributes:
        name: of its file beside the Markdown page.
        svg: the picture.
        caption: what it shows.
    """

    name: str
    svg: str
    caption: str


Block = Heading | Text | Bullets | Table | Code | Picture | Figure


def render_html(title: str, blocks: Sequence[Block]) -> str:
    """A self-contained page."""
    heads = [block.text for block in blocks if isinstance(block, Heading)]
    links = "".join(f'<a href="#{_anchor(head)}">{html.escape(head)}</a> ' for head in heads)
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{html.escape(title)}</h1>\n<nav>{links}</nav>\n{body}\n</html>\n"
    )


def render_markdown(title: str, blocks: Sequence[Block], folder: Path) -> str:
    """The same page as Markdown; the figures are written into ``folder``."""
    return f"# {_escaped(title)}\n\n" + "\n\n".join(_markdown(block, folder) for block in blocks) + "\n"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table alone, as Markdown.

    >>> print(markdown_table(["run", "accuracy"], [["a|b", "87.5"]]))
    | run | accuracy |
    |---|---|
    | a\|b | 87.5 |
    """
    lines = ["| " + " | ".join(map(_escaped, line)) + " |" for line in (heads, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(heads), *lines[1:]])


def print_page(text: str, file: Path | None = None) -> None:
    """Print a page, and write it into a file where one is given."""
    print(text)
    if file is not None:
        write_page(text, file)


def write_page(text: str, file: Path) -> None:
    """Write a page into a file, whose folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _markdown(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"## {_escaped(text)}"
        case Text(text):
            return _escaped(text)
        case Bullets(items):
            return "\n".join(f"- {_escaped(item)}" for item in items)
        case Table(heads, rows, _):
            return markdown_table(heads, rows)
        case Code(text, language):
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
            return f"{fence}{language}\n{text}\n{fence}"
        case Picture(name, caption):
            return f"![{_escaped(caption)}](<{quote(name)}>)\n\n{_escaped(caption)}"
        case Figure(name, svg, caption):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.svg").write_text(svg)
            return f"![{_escaped(caption)}]({folder.name}/{name}.svg)\n\n{_escaped(caption)}"


def _html(block: Block) -> str:
    match block:
        case Heading(text):
            return f'<h2 id="{_anchor(text)}">{html.escape(text)}</h2>'
        case Text(text):
            return f"<p>{_inline(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
        case Table(heads, rows, folded):
            top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
            body = ""
            for row in rows:
                kind = ' class="published"' if row and row[0].endswith("(published)") else ""
                body += f"<tr{kind}>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>\n"
            table = f'<div class="table"><table><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table></div>'
            return f"<details><summary>{_inline(folded)}</summary>{table}</details>" if folded else table
        case Code(text, _):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Picture(name, caption):
            picture = f'<img src="{html.escape(quote(name))}" alt="{html.escape(caption)}">'
            return f"<figure>{picture}<figcaption>{_inline(caption)}</figcaption></figure>"
        case Figure(_, svg, caption):
            inline = svg[svg.index("<svg") :]
            points = re.match(r'<svg[^>]* width="([\d.]+)pt"', inline)
            if points:  # no narrower than its text can be read; the rest scrolls
                inline = inline.replace("<svg", f'<svg style="min-width: {0.8 * float(points[1]):.0f}px"', 1)
            return f"<figure>{inline}<figcaption>{_inline(caption)}</figcaption></figure>"


def _inline(text: str) -> str:
    """Escape the text and set parts between back-quotes as code."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    """Text that Markdown shows letter by letter; what stands between back-quotes is code and left alone."""
    parts = " ".join(text.split("\n")).split("`")
    shown = []
    for i, part in enumerate(parts):
        code = i % 2 and len(parts) % 2
        shown.append(part.replace("|", "\\|") if code else re.sub(r"([\\|<>\[\]*]|(?<!\w)_|_(?!\w))", r"\\\1", part))
    return ("`" if len(parts) % 2 else "\\`").join(shown)


def _anchor(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower())
