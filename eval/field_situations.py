"""The shipped classifier on the situations of ``equisym.data.situations``: what is right, refused and wrong.

    python eval/field_situations.py run --out eval/results/field/situations.csv
    python eval/field_situations.py report --before eval/results/field/before.csv --out eval/results/field

``run`` writes each answer as it comes and goes on where it stopped; ``--kind`` and ``--name`` choose some.
"""

import argparse
import csv
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from equisym import SymmetryClassifier
from equisym.data.situations import KINDS, Situation, situations

FIELDS = ("kind", "name", "right", "answer", "p", "verdict", "said", "seconds", "text")
VERDICTS = ("right", "refused", "wrong", "surely wrong")


def answer(classifier: SymmetryClassifier, s: Situation, keep: Path | None = None) -> dict[str, str]:
    """One row: what the classifier says about a situation, and what that is worth."""
    picture = kept(s, keep)
    start = time.perf_counter()
    try:
        result = classifier.predict(picture)
        group, refused, notes = result.group if not result.refused else None, result.refused, result.notes
        p = result.probabilities.get(group or "", 0.0)
        text = "; ".join(str(t) for t in dict.fromkeys((str(result), refused, *notes)) if t)
    except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
        group, p, text = None, 0.0, f"{type(error).__name__}: {error}"
    said = s.said(group, text)
    return {
        "kind": s.kind,
        "name": s.name,
        "right": " ".join([*sorted(s.right), *(f"{name}@{strain:.3f}" for name, strain in s.strained.items())]),
        "answer": group or "refused",
        "p": f"{p:.3f}",
        "verdict": s.judge(group, p, text),
        "said": "" if said is None else "yes" if said else "no",
        "seconds": f"{time.perf_counter() - start:.2f}",
        "text": text.replace("\n", " "),
    }


def run(args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    chosen = [s for s in situations() if args.kind in (None, s.kind) and (args.name is None or args.name in s.name)]
    place: Counter[str] = Counter()
    turns = [place.update([s.kind]) or place[s.kind] for s in chosen]  # kinds in turn: a part has seen each
    chosen = [s for _, s in sorted(zip(turns, chosen, strict=True), key=lambda pair: pair[0])]
    done = {(r["kind"], r["name"]) for r in read(args.out)} if args.out and args.out.exists() else set()
    classifier = SymmetryClassifier.from_pretrained(args.model)
    count: Counter[str] = Counter()
    for s in tqdm([s for s in chosen if (s.kind, s.name) not in done], disable=args.out is None):
        row = answer(classifier, s, args.keep)
        count[row["verdict"]] += 1
        if args.out:
            write(args.out, row)
        else:
            print(
                *(row[f] for f in ("kind", "name", "right", "answer", "p", "verdict", "said", "text")),
                sep=" | ",
                flush=True,
            )
    print(", ".join(f"{verdict} {count[verdict]}" for verdict in VERDICTS))


def kept(s: Situation, folder: Path | None) -> np.ndarray:
    """The situation's image, from a folder if it has been drawn before."""
    if folder is None:
        return s.draw()
    path = folder / f"{re.sub(r'[^a-z0-9.+-]+', '_', f'{s.kind} {s.name}'.lower())}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        picture = s.draw()
        np.savez(path, image=np.ma.getdata(picture), hidden=np.ma.getmask(picture))
        return picture
    with np.load(path) as file:
        return np.ma.array(file["image"], mask=file["hidden"]) if file["hidden"].ndim else file["image"]


def write(path: Path, row: dict[str, str]) -> None:
    """Append one row, and the heads of the columns to a new file."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(args: argparse.Namespace) -> None:
    after = read(args.out / "situations.csv")
    before = {(r["kind"], r["name"]): r for r in read(args.before)}
    lines = [
        "# Situations",
        "",
        "Images that the library's generator does not draw (`equisym.data.situations`), by kind, answered by the",
        "shipped classifier. Surely wrong: wrong with a probability over 0.8. Said: of the answers whose text should",
        "name a fault, a strain or a domain, those that do.",
        "",
        "These images are for development: limits of the classifier were set with them in view. The figures show that",
        "the kinds are understood, and do not estimate how often it is right on images that nobody has seen.",
        "",
        "```",
        "python eval/field_situations.py run --out eval/results/field/situations.csv",
        "python eval/field_situations.py report --before eval/results/field/before.csv --out eval/results/field",
        "```",
        "",
        f"Before: the classifier as it was when the kinds were first collected; after: {args.state}.",
        "",
        *table(after, before),
        "",
    ]
    kept_apart = args.out / "kept_apart.md"  # images that no limit was set on
    lines += [kept_apart.read_text()] if kept_apart.is_file() else []
    for kind in KINDS:
        rows = [r for r in after if r["kind"] == kind]
        if not rows:
            continue
        lines += [f"## {kind.capitalize()}", "", f"![{kind}]({sheet(kind, rows, args.out, args.keep)})", ""]
        wrong = [r for r in rows if r["verdict"] != "right"]
        lines += [f"- {r['name']}: {r['answer']} ({r['p']}), right {r['right']}" for r in wrong] or ["All right."]
        lines.append("")
    (args.out / "README.md").write_text("\n".join(lines))


def table(after: list[dict[str, str]], before: dict[tuple[str, str], dict[str, str]]) -> list[str]:
    """A row for each kind: images, and both times right, refused, wrong, surely wrong, said."""
    heads = [f"{when}: {v}" for when in ("before", "after") for v in (*VERDICTS, "said")]
    out = ["| no. | kind | images | " + " | ".join(heads) + " |", "| --- " * (len(heads) + 3) + "|"]
    for kind in (*KINDS, None):
        rows = [r for r in after if kind in (None, r["kind"])]
        if not rows:
            continue
        old = [before[r["kind"], r["name"]] for r in rows if (r["kind"], r["name"]) in before]
        cells = [str(n) for part in (old, rows) for n in (*_counts(part), _said(part))]
        out.append(f"| {KINDS[kind] if kind else ''} | {kind or 'all'} | {len(rows)} | " + " | ".join(cells) + " |")
    return out


def _counts(rows: list[dict[str, str]]) -> list[int | str]:
    return [sum(r["verdict"] == v for r in rows) if rows else "" for v in VERDICTS]


def _said(rows: list[dict[str, str]]) -> str:
    asked = [r["said"] for r in rows if r["said"]]
    return f"{asked.count('yes')} of {len(asked)}" if asked else ""


def sheet(kind: str, rows: list[dict[str, str]], folder: Path, keep: Path | None = None) -> str:
    """A contact sheet: each image, reduced, under its name and answer; returns the file's name."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = {s.name: s for s in situations(kind)}
    rows = rows[:24]
    columns = min(6, len(rows))
    height = -(-len(rows) // columns)
    figure = Figure(figsize=(1.9 * columns, 2.25 * height), layout="constrained")
    FigureCanvasAgg(figure)
    colours = dict(zip(VERDICTS, ("#1a7f37", "#57606a", "#bc4c00", "#cf222e"), strict=True))
    for k, row in enumerate(rows):
        axes = figure.add_subplot(height, columns, k + 1)
        axes.imshow(_thumbnail(kept(drawn[row["name"]], keep)), cmap="gray")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(f"{row['name']}\n{row['answer']} {row['p']}", fontsize=5.5, color=colours[row["verdict"]])
    name = f"{kind.replace(' ', '_')}.png"
    figure.savefig(folder / name, dpi=80)
    from PIL import Image

    Image.open(folder / name).convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(folder / name, optimize=True)
    return name


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    """The image's first 320 pixels a side, from 0 to 1, without what is missing."""
    picture = np.ma.filled(np.ma.array(picture, dtype=float), np.nan)[:320, :320]
    picture = np.where(np.isfinite(picture), picture, np.nanmedian(picture[np.isfinite(picture)]))
    low, high = np.quantile(picture, (0.005, 0.995))
    return np.clip((picture - low) / max(high - low, 1e-300), 0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    first = commands.add_parser("run", help="answer every situation")
    first.add_argument("--out", type=Path, help="csv to go on with; without it, the answers are printed")
    first.add_argument("--kind", help="only this kind")
    first.add_argument("--name", help="only names that hold this")
    first.add_argument("--keep", type=Path, help="folder of drawn images, written if new and read if not")
    first.add_argument("--model", help="bundled name or file; the best bundled one by default")
    first.set_defaults(do=run)
    second = commands.add_parser("report", help="write tables and pictures")
    second.add_argument("--before", type=Path, required=True)
    second.add_argument("--state", default="as it is", help="what answered, in words")
    second.add_argument("--out", type=Path, required=True, help="folder that holds situations.csv")
    second.add_argument("--keep", type=Path, help="folder of drawn images, as of run")
    second.set_defaults(do=report)
    args = parser.parse_args()
    args.do(args)


if __name__ == "__main__":
    main()
