"""One page on how networks generalise, from the result files of equisym-eval, as self-contained HTML and Markdown.

    python eval/generalisation_report.py RESULTS.csv... --out DIR

Beside each csv, models.csv (cost, invariance), answers.npz (calibration curves, paired tests) and techniques.csv
(technique,with,without) are read where they exist. What is missing is said on the page.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from equisym.document import render_html, render_markdown
from equisym.eval.generalisation import read_results, report
from equisym.train.artifacts import write_whole

TITLE = "Generalisation across image families"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path, help="cross_dataset.csv of any number of evaluations")
    parser.add_argument("--out", type=Path, required=True, help="folder for index.html, REPORT.md and figures/")
    published = Path(__file__).parent / "published" / "accuracy.csv"
    parser.add_argument("--published", type=Path, default=published, help="csv of published accuracies")
    arguments = parser.parse_args()
    if not any(file.is_file() for file in arguments.results):
        parser.error(f"no results at {', '.join(map(str, arguments.results))}: give a csv written by equisym-eval")
    arguments.out.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "eval/generalisation_report.py", *sys.argv[1:]])
    blocks = report(read_results(arguments.results, arguments.published), command)
    write_whole(arguments.out / "REPORT.md", render_markdown(TITLE, blocks, arguments.out / "figures"))
    write_whole(arguments.out / "index.html", render_html(TITLE, blocks))
    print(f"{arguments.out / 'index.html'} and {arguments.out / 'REPORT.md'}")


if __name__ == "__main__":
    main()
