"""The report: every section from whole results, and sentences instead of errors from partial ones."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from quick_python import python
from scipy.stats import t as student

from equisym.document import Bullets, Figure, Heading, Table, Text, render_html
from equisym.eval.comparisons import findings, on_unseen, pairs, techniques
from equisym.eval.generalisation import read_results, report
from equisym.eval.metrics import score
from equisym.eval.protocol import COLUMNS, MODEL_COLUMNS, write_answers, write_table
from equisym.eval.results import READABLE, Results, by_network

SCRIPT = Path(__file__).parents[2] / "eval" / "generalisation_report.py"
PUBLISHED = SCRIPT.parent / "published" / "accuracy.csv"


@pytest.fixture
def results(tmp_path):
    import torch

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(17).repeat(6)
    rows, answers = [], {}
    for name, skill in (("turning", 3.0), ("plain", 1.0)):
        for seed in range(2):
            for family in ("noise", "atom"):
                logits = torch.randn(102, 17, generator=generator)
                logits[torch.arange(102), labels] += skill
                scores = score(logits, labels)
                row = {"arch": name, "run": f"runs/{name}-{seed}", "train_family": "noise", "train_images": 1000}
                row |= {"test_family": family, "test_images": 102, "images_per_second": 50}
                row |= {n: getattr(scores, n) for n in COLUMNS if hasattr(scores, n)}
                rows.append(row)
                answers[row["run"], family] = scores
    write_table(rows, tmp_path / "cross_dataset.csv")
    write_answers(answers, tmp_path / "answers.npz")
    models = [
        {"run": f"runs/{n}-0", "arch": n, "arch_options": "", "size": 65, "params": 1234567, "multiply_adds": 5000000}
        | {"invariance_error": 0.001, "changed_answers": 0.25}
        for n in ("turning", "plain")
    ]
    write_table(models, tmp_path / "models.csv", MODEL_COLUMNS)
    (tmp_path / "techniques.csv").write_text(
        "technique,with,without\nturning kernels,turning,plain\nmagic,magic,plain\nplainness,plain,turning\n"
    )
    return tmp_path / "cross_dataset.csv"


def test_harder_images_are_drawn_where_they_were_tested(results):
    lines = results.read_text().splitlines()
    harder = [line.replace(",noise,102,", f",noise+dose-{n},102,") for n in (1, 3) for line in lines[1:]]
    harder = [line for line in harder if "+dose" in line]
    assert len(harder) == 8
    results.with_name("corruptions.csv").write_text("\n".join([lines[0], *harder, ""]))
    figures = {b.name: b for b in report(read_results([results], None), "c") if isinstance(b, Figure)}
    assert "dose" in figures["harder-noise"].svg
    assert "severity" in figures["harder-noise"].svg
    assert "harder-atom" not in figures


class Balanced(HTMLParser):
    """Counts open tags, and anything fetched from elsewhere."""

    def __init__(self):
        super().__init__()
        self.open, self.outside = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "path", "use", "stop", "image", "rect", "br"):
            self.open.append(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v and not v.startswith("#")]

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def test_script_writes_one_page_that_needs_no_other_file(results, tmp_path):
    out = tmp_path / "page"
    python(SCRIPT, results, "--out", out).check_returncode()
    page = (out / "index.html").read_text()
    parser = Balanced()
    parser.feed(page)
    assert not parser.outside
    assert page.count("<svg") >= 5
    assert "turning kernels" in page
    assert "ResNet50 (published)" in page
    assert "magic: magic was not run." in page
    markdown = (out / "REPORT.md").read_text()
    pictures = re.findall(r"\]\((figures/[^)]+)\)", markdown)
    assert pictures
    assert all((out / p).is_file() for p in pictures)


def test_numbers_are_those_of_the_files(results):
    found = read_results([results], PUBLISHED)
    blocks = report(found, "command")
    tables = [block for block in blocks if isinstance(block, Table)]
    accuracies = tables[0]
    own = [
        float(r["accuracy"]) for r in found.rows if r["run"].startswith("runs/turning") and r["test_family"] == "atom"
    ]
    (row,) = [r for r in accuracies.rows if r[0] == "turning"]
    assert row[accuracies.heads.index("atom")].startswith(f"{100 * np.mean(own):.1f} ± ")
    (published,) = [r for r in accuracies.rows if r[0] == "ResNet50 (published)" and r[2] == "1000000"]
    assert published[accuracies.heads.index("noise")] == "93.8"
    techniques = next(t for t in tables if t.heads[0] == "technique")
    gains = {row[0]: row[4] for row in techniques.rows}
    right = {(r["run"], r["test_family"]): 100 * float(r["accuracy"]) for r in found.rows}
    column = techniques.heads.index("atom")
    gain = np.array([right[f"runs/turning-{n}", "atom"] - right[f"runs/plain-{n}", "atom"] for n in (0, 1)])
    half = student.ppf(0.975, 1) * gain.std(ddof=1) / np.sqrt(2)
    assert next(r[column] for r in techniques.rows if r[0] == "turning kernels") == f"{gain.mean():+.1f} ± {half:.1f}"
    assert next(r[column] for r in techniques.rows if r[0] == "plainness") == f"{-gain.mean():+.1f} ± {half:.1f}"
    assert gains["magic"] == "not run"
    (tested,) = [b.text for b in blocks if isinstance(b, Text) and "McNemar" in b.text]
    assert "many pairs" not in tested


def test_a_technique_is_compared_on_the_families_that_both_networks_were_trained_on():
    row = {"accuracy": "0.9", "run": "runs/0"}
    trained = {"turning": ("noise", "photo"), "plain": ("noise", "photo"), "other": ("noise", "atom")}
    groups = {(name, source, "1000"): {"noise": [row]} for name, sources in trained.items() for source in sources}
    one = Results(techniques=[{"technique": "turning kernels", "with": "turning", "without": "plain"}])
    (table,) = [block for block in techniques(one, groups, ["noise"]) if isinstance(block, Table)]
    assert [r[table.heads.index("trained on")] for r in table.rows] == ["noise", "photo", "noise, photo"]


def test_networks_of_the_first_level_stand_apart(results):
    from equisym.models.tree import labels_at

    found = read_results([results], None)
    level = np.array(labels_at("rotation_family"))
    run = next(r for r in found.rows if r["test_family"] == "atom")
    arrays = found.answers[run["run"], "atom"]
    expected = (level[arrays["answers"]] == level[arrays["labels"]]).mean()
    alone = {**run, "run": "runs/level-0", "accuracy": "0.5", "level_rotation": "nan"}
    found.rows.append(alone)
    tables = [b for b in report(found, "command") if isinstance(b, Table)]
    assert "level" not in [row[0] for row in tables[0].rows]
    (table,) = [t for t in tables if "learned" in t.heads]
    cells = {row[0]: row for row in table.rows}
    assert cells["level"][2] == "three classes"
    assert cells["level"][table.heads.index("atom")] == "50.0"
    found.rows = [run, alone]  # one seed
    tables = [b for b in report(found, "command") if isinstance(b, Table)]
    (table,) = [t for t in tables if "learned" in t.heads]
    (row,) = [r for r in table.rows if r[0] == "turning"]
    assert row[table.heads.index("atom")] == f"{100 * expected:.1f}"


def test_a_single_seed_is_compared_over_its_images(results):
    lines = results.read_text().splitlines()
    results.write_text("\n".join([line for line in lines if "-1,noise" not in line] + [""]))
    blocks = report(read_results([results], None), "command")
    (row,) = [r for b in blocks if isinstance(b, Table) for r in b.rows if r[0] == "turning kernels"]
    assert row[4].startswith("+")
    assert 5 < float(row[4].split(" ± ")[1]) < 20
    (findings,) = [b for b in blocks if isinstance(b, Bullets) and "best is" in b.items[0]]
    assert any("one seed" in item and "ahead" in item for item in findings.items)
    others = read_results([results], None)
    for (run, _), arrays in others.answers.items():
        if run.startswith("runs/plain"):  # they have answered other images
            arrays["labels"] = np.roll(arrays["labels"], 1)
    results.with_name("answers.npz").unlink()
    for found in (others, read_results([results], None)):
        (row,) = [r for b in report(found, "c") if isinstance(b, Table) for r in b.rows if r[0] == "turning kernels"]
        assert " ± " not in row[4]


def test_partial_results_are_said(results, tmp_path):
    results.with_name("answers.npz").unlink()
    results.with_name("models.csv").unlink()
    broken = tmp_path / "other" / "cross_dataset.csv"
    broken.parent.mkdir()
    broken.write_text("arch,run\ne2resnet,a\n")
    lines = results.read_text().splitlines()
    results.write_text("\n".join([*lines[:4], lines[4].replace(lines[4].split(",")[6], ""), ""]))
    blocks = report(read_results([results, broken, tmp_path / "none.csv"], None), "command")
    missing = blocks[-1]
    assert isinstance(missing, Bullets)
    said = " ".join(missing.items)
    for words in ("answers.npz", "models.csv", "has no column", "none.csv", "rows without an accuracy", "published"):
        assert words in said, words
    assert isinstance(report(read_results([tmp_path / "none.csv"], None), "c")[-1], Bullets)


def test_page_escapes_what_it_is_given():
    page = render_html("a < b", [Heading("x & y"), Text("`<b>`"), Table(["<i>"], [["1 (published)"]])])
    assert "<b>" not in page
    assert "<i>" not in page
    assert "<code>&lt;b&gt;</code>" in page
    assert '<tr class="published">' in page


def test_script_without_results_is_one_line(tmp_path):
    answer = python(SCRIPT, tmp_path / "no.csv", "--out", tmp_path)
    assert answer.returncode == 2
    assert "no results at" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_technique_is_judged_over_all_families_that_both_networks_learned(results):
    found = read_results([results], None)
    found.rows += [r | {"train_family": "photo", "run": r["run"] + "9"} for r in found.rows]
    tables = [b for b in report(found, "command") if isinstance(b, Table)]
    rows = [r for r in next(t for t in tables if t.heads[0] == "technique").rows if r[0] == "turning kernels"]
    assert [row[3] for row in rows] == ["noise", "photo", "noise, photo"]
    gain, half = zip(*(map(float, row[4].split(" ± ")) for row in rows), strict=True)
    assert gain[0] == gain[1] == gain[2]  # the same differences twice
    assert half[2] < half[0]
    (said,) = [b for b in report(found, "command") if isinstance(b, Bullets) and "best is" in b.items[0]]
    assert any("trained on noise or photo (over 4 pairs of runs)" in item for item in said.items)


def test_clean_images_are_severity_0_of_corruptions_but_not_of_repeats(results, monkeypatch):
    lines = results.read_text().splitlines()
    kinds = ("+dose-3", "+repeats-2", "+repeats-5")
    harder = [line.replace(",noise,102,", f",noise{kind},102,") for kind in kinds for line in lines[1:]]
    results.with_name("corruptions.csv").write_text("\n".join([lines[0], *(h for h in harder if "+" in h), ""]))
    drawn = []
    monkeypatch.setattr("equisym.eval.generalisation.condition_curves", lambda curves: drawn.append(curves) or "<svg/>")
    report(read_results([results], None), "command")
    (curves,) = drawn
    for kind, amounts in (("dose", [0, 3]), ("repeats", [2, 5])):
        assert all([x for x, _ in points] == amounts for points in curves[kind].values())


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((0.02, 0.06), "no difference is shown"),
        ((0.04, 0.041), "it helps"),
        ((-0.06, -0.02), "no difference is shown"),
        ((-0.04, -0.041), "it harms"),
    ],
)
def test_a_technique_helps_only_where_its_whole_interval_does(results, gains, verdict):
    found = read_results([results], None)
    for row in found.rows:
        seed = int(row["run"][-1])
        row["accuracy"] = str(0.5 + gains[seed] * (row["arch"] == "turning"))
    _, sentences = findings(found, by_network(found.rows), ["noise", "atom"])
    (said,) = [item for item in sentences.items if item.startswith("turning kernels")]
    assert [part.rpartition(", ")[2] for part in said.rstrip(".").split("; ")] == [verdict] * 2


def test_networks_differ_where_the_corrected_p_is_below_a_twentieth(results):
    found = read_results([results], None)
    groups = by_network(found.rows)
    (table,) = [b for b in pairs(found, groups, ["noise"]) if isinstance(b, Table)]
    ((*who, _, _, p, differ),) = table.rows
    assert who == ["noise", "turning", "plain", "1000 noise"]
    assert float(p) < 0.05
    assert differ == "yes"
    for row in found.rows:
        found.answers[row["run"], "noise"]["answers"] = found.answers[row["run"], "noise"]["labels"]
    (table,) = [b for b in pairs(found, groups, ["noise"]) if isinstance(b, Table)]
    assert table.rows[0][-4:] == ["0", "0", "1", "no"]


def test_of_many_networks_only_pairs_with_the_best_are_compared(results):
    found, count = read_results([results], None), READABLE + 2
    found.techniques = []
    first = found.rows[0]
    groups = {(f"network {k}", "noise", "1000"): {"noise": [first | {"run": f"run {k}"}]} for k in range(count)}
    for k in range(count):
        found.answers[f"run {k}", "noise"] = found.answers[first["run"], "noise"]
    said, table = pairs(found, groups, ["noise"])
    assert "Of the many pairs" in said.text
    assert [row[:3] for row in table.rows] == [["noise", "network 0", f"network {k}"] for k in range(1, count)]


def _rows(accuracies):
    """A row for each (network, seed, training family, images, tested family)."""
    names = ("run", "train_family", "train_images", "test_family")
    return [
        dict(zip(names, (f"{source}-{images}/{name}-{seed}", source, images, family), strict=True))
        | {"arch": "e2resnet", "accuracy": str(accuracy)}
        for (name, seed, source, images, family), accuracy in accuracies.items()
    ]


def test_unseen_families_are_those_not_trained_on_and_seeds_lack_none():
    rows = _rows(
        {
            ("ours", 0, "noise", "100", "noise"): 1.0,
            ("ours", 0, "noise", "100", "atom"): 0.8,
            ("ours", 0, "atom", "100", "noise"): 0.6,
            ("ours", 1, "noise", "100", "atom"): 0.2,  # its other direction was not run
            ("ours", 0, "noise", "1000", "atom"): 0.9,
        }
    )
    found = on_unseen(by_network(rows))["ours"]
    assert {images: [round(v, 9) for v in values] for images, values in found.items()} == {"100": [0.7], "1000": [0.9]}
    alone = on_unseen(by_network(_rows({("ours", 0, "noise", "100", "noise"): 0.5})))
    assert alone == {"ours": {"100": [0.5]}}


def test_the_page_begins_with_the_answer_and_few_findings():
    accuracies = {
        (f"net{number}", seed, "noise", images, "atom"): 0.9 - 0.05 * number + 0.002 * seed
        for number in range(12)
        for seed in range(2)
        for images in ("100", "1000")
    }
    found = Results(rows=_rows(accuracies))
    found.techniques = [{"technique": f"t{n}", "with": "net0", "without": f"net{n}"} for n in range(1, 12)]
    picture, heading, said, *_ = report(found, "command")
    assert picture.name == "unseen"
    assert heading == Heading("Findings")
    assert len(said.items) == 8
    assert said.items[0].startswith(
        "Trained on 1,000 images of one family, tested on the others: the best is net0 with 90.1"
    )
    assert said.items[0].endswith("the last is net11 with 35.1 ± 1.3 %.")
    assert said.items[2].startswith("t11, trained on noise")  # the greatest difference first
    assert said.items[-1].startswith("6 more comparisons")
