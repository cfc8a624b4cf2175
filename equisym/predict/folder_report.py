"""One self-contained page for many images: thumbnails, groups, lattices; sortable and filterable."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from equisym.predict.expectation import Comparison
from equisym.predict.prediction import Prediction
from equisym.predict.table import constants_text
from equisym.predict.thumbnail import data_uri, thumbnail

_COLUMNS = ("image", "file", "group", "certainty", "class", "a", "b", "gamma", "strain", "residual", "notes")


class FolderReport:
    """Writes a row for each image as it is answered, so that memory use does not grow with their number.

    Args:
        path: of the page.

    Example: ``with FolderReport("report.html") as page: page.add("scan.tif", image, result)``.
    """

    def __init__(self, path: str | Path) -> None:
        self.file = Path(path).open("w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115, closed by close()
        heads = "".join(f'<th scope="col"><button type="button">{name}</button></th>' for name in _COLUMNS)
        self.file.write(_HEAD.replace("HEADS", heads))

    def __enter__(self) -> FolderReport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, file: str, image: Any, result: Prediction, compared: Sequence[Comparison] = ()) -> None:
        """One row.

        Args:
            file: name that is shown.
            image: what was classified.
            result: the answer.
            compared: comparison with an expectation.
        """
        cells = [(f'<img src="{data_uri(thumbnail(image, result))}" alt="" loading="lazy">', ""), (escape(file), file)]
        notes = [*(map(str, compared)), *result.notes]
        if result.group is None:
            cells += [("refused", "~"), *[("", "")] * 7, (escape("; ".join([result.refused or "", *notes])), "")]
        else:
            notes = [*(map(str, compared)), *result.remarks, *result.notes]
            text, k = constants_text(result), result.constants
            p, residual = result.probabilities[result.group], result.residuals.get(result.group)
            cells += [(result.group, result.group), (f"{100 * p:.1f} %", p), (result.crystal_class or "", "")]
            cells += [(escape(text[n]), k.get(f"{n}_nm", k[n])) for n in ("a", "b", "gamma")]
            cells += [(f"{100 * (result.strain or 0):.2g} %", result.strain or 0.0)]
            cells += [("", "") if residual is None else (f"{100 * residual:.2g} %", residual)]
            cells += [(escape("; ".join(notes)), "")]
        differs = any(not c.agrees for c in compared)
        kind = "refused" if result.group is None else "differs" if differs else "unsure" if _unsure(result) else ""
        row = "".join(
            f'<td data-name="{name}" data-value="{escape(str(value))}">{text}</td>'
            for name, (text, value) in zip(_COLUMNS, cells, strict=True)
        )
        self.file.write(f'<tr class="{kind}">{row}</tr>\n')
        self.file.flush()  # so that a full disc is told with the image that it cannot take

    def close(self) -> None:
        """Finish the page."""
        if not self.file.closed:
            try:
                self.file.write(_FOOT)
            finally:
                self.file.close()


def _unsure(result: Prediction) -> bool:
    return result.group is not None and result.probabilities[result.group] < 0.8


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wallpaper groups</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .6rem; }
.bar { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin-bottom: .8rem; }
.bar input, .bar select { font: inherit; padding: .3rem .5rem; }
.bar input { flex: 1 1 14rem; max-width: 26rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .45rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { position: sticky; top: 0; background: Canvas; }
th button { font: inherit; font-weight: 600; background: none; border: 0; padding: 0; cursor: pointer; color: inherit; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
td img { display: block; max-width: 96px; max-height: 96px; border-radius: 3px; }
td:nth-child(2) { overflow-wrap: anywhere; min-width: 6.5rem; }
td:nth-child(3) { font-weight: 600; }
td:nth-child(n+3):nth-child(-n+10) { white-space: nowrap; font-variant-numeric: tabular-nums; }
td:last-child { min-width: 12rem; font-size: .9em; }
tr.refused { background: var(--soft); } tr.refused td:nth-child(3) { font-weight: 400; font-style: italic; }
tr.unsure td:nth-child(4) { color: #b25d00; font-weight: 600; }
tr.differs td:last-child { color: #c02020; font-weight: 600; }
@media (max-width: 46rem) {
  thead th { display: inline-block; border: 0; padding: .1rem .5rem .1rem 0; position: static; }
  thead tr, tbody tr { display: block; }
  tbody tr { border-bottom: 1px solid var(--line); padding: .6rem 0; overflow: hidden; }
  tbody tr[hidden] { display: none; }
  td { display: block; border: 0; padding: .05rem 0 .05rem 116px; min-width: 0 !important; }
  td:first-child { float: left; padding: 0; width: 104px; }
  td:empty { display: none; }
  td:nth-child(n+4):nth-child(-n+10)::before { content: attr(data-name) " "; opacity: .65; }
}
</style></head><body>
<h1>Wallpaper groups <small id="count"></small></h1>
<div class="bar"><input id="text" type="search" placeholder="Filter: file, group, note" aria-label="Filter by text">
<select id="group" aria-label="Filter by group"><option value="">all groups</option></select></div>
<div class="wide"><table><thead><tr>HEADS</tr></thead><tbody>
"""
_FOOT = """</tbody></table></div>
<script>
const body = document.querySelector("tbody"), rows = [...body.rows];
const text = document.getElementById("text"), group = document.getElementById("group");
const value = (row, i) => row.cells[i].dataset.value || row.cells[i].textContent;
for (const name of [...new Set(rows.map(r => r.cells[2].textContent))].sort()) group.add(new Option(name, name));
function filter() {
  const words = text.value.toLowerCase().split(/\\s+/);
  let shown = 0;
  for (const row of rows) {
    const all = row.textContent.toLowerCase();
    const fits = words.every(w => all.includes(w)) && (!group.value || row.cells[2].textContent === group.value);
    row.hidden = !fits;
    shown += fits;
  }
  document.getElementById("count").textContent = `${shown} of ${rows.length}`;
}
text.oninput = group.onchange = filter;
document.querySelectorAll("th").forEach((head, i) => head.firstChild.onclick = () => {
  const up = head.getAttribute("aria-sort") !== "ascending";
  document.querySelectorAll("th").forEach(h => h.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const compare = (a, b) => value(a, i).localeCompare(value(b, i), undefined, {numeric: false});
  const number = (a, b) => parseFloat(value(a, i)) - parseFloat(value(b, i));
  const numeric = rows.some(r => value(r, i) !== "" && !isNaN(value(r, i)));
  const last = r => numeric && isNaN(parseFloat(value(r, i)));
  rows.sort((a, b) => last(a) - last(b) || (up ? 1 : -1) * (numeric ? number : compare)(a, b));
  rows.forEach(r => body.append(r));
});
filter();
</script></body></html>
"""
