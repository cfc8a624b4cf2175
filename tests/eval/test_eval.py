"""Metrics against references, and the command on a run of seconds."""

import csv

import numpy as np
import pytest
import torch
from quick_python import python
from sklearn.metrics import accuracy_score, confusion_matrix

from equisym.data import CORRUPTIONS
from equisym.eval import evaluate, score, wilson_interval
from equisym.eval.protocol import COLUMNS
from equisym.groups import WALLPAPER_GROUPS
from equisym.models import build
from equisym.models.feature_classifier import FeatureClassifier
from equisym.train.artifacts import save_model


def test_score_agrees_with_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(500, 17, generator=generator), torch.randint(17, (500,), generator=generator)
    logits[torch.arange(300), labels[:300]] += 4
    scores = score(logits, labels)
    answers = logits.argmax(1)
    assert scores.accuracy == pytest.approx(accuracy_score(labels, answers))
    np.testing.assert_array_equal(scores.confusion, confusion_matrix(labels, answers, labels=range(17)))
    order = np.array([g.rotation_order for g in WALLPAPER_GROUPS])
    assert scores.level_rotation == pytest.approx(accuracy_score(order[labels], order[answers]))
    assert scores.accuracy <= scores.level_class <= scores.level_rotation
    assert scores.ci_low < scores.accuracy < scores.ci_high


def test_supergroup_errors_are_counted_apart():
    names = WALLPAPER_GROUPS.names
    truth = torch.tensor([names.index(n) for n in ("p3", "p3", "pg", "p6m")])
    answer = torch.tensor([names.index(n) for n in ("p31m", "p4", "pgg", "p6")])
    assert score(torch.eye(17)[answer] * 9, truth).supergroup_errors == 0.5


def test_wilson_interval_by_its_formula():
    hits, trials, z = 37, 50, 1.959963984540054
    share = hits / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    assert wilson_interval(hits, trials) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_command_writes_table_pictures_and_report(tmp_path):
    model = build("e2resnet", width=2)
    about = {"arch": "e2resnet", "arch_options": {"width": 2}, "num_classes": 17, "in_channels": 1, "size": 33}
    (tmp_path / "a").mkdir()
    save_model(model, tmp_path / "a/model.safetensors", about | {"train_family": "noise", "train_images": 17})
    code = "from equisym.eval.command import main; main()"
    arguments = [
        str(tmp_path / "a"),
        "--families",
        "noise",
        "atom",
        "--count",
        "34",
        "--workers",
        "0",
        "--look",
        "--corruptions",
    ]
    out = tmp_path / "report"
    python("-c", code, *arguments, "--out", out).check_returncode()
    rows = list(csv.DictReader((out / "cross_dataset.csv").read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [row["test_family"] for row in rows] == ["noise", "atom"]
    assert (out / "confusion-a.png").stat().st_size > 1000
    for name in ("saliency-a.png", "embedding-a.png"):
        assert (out / name).stat().st_size > 1000
    harder = list(csv.DictReader((out / "corruptions.csv").read_text().splitlines()))
    assert len(harder) == 2 * (3 * len(CORRUPTIONS) + 5)
    assert {"noise+dose-3", "atom+repeats-4"} <= {row["test_family"] for row in harder}
    report = (out / "REPORT.md").read_text()
    assert "equisym-eval" in report
    assert "| rotation order |" in report


def test_images_are_measured_once_for_all_networks_that_read_features(tmp_path, monkeypatch):
    for name in ("crystal", "symnet"):
        about = {"arch": name, "arch_options": {}, "num_classes": 17, "in_channels": 1, "size": 65}
        save_model(build(name), tmp_path / f"{name}.safetensors", about | {"train_family": "noise", "train_images": 17})
    looked = []
    extract = FeatureClassifier.extract
    monkeypatch.setattr(
        FeatureClassifier, "extract", lambda self, images: looked.append(len(images)) or extract(self, images)
    )
    paths = [tmp_path / "crystal.safetensors", tmp_path / "symnet.safetensors"]
    together = [scores.answers for _, scores in evaluate(paths, ["noise"], 17)]
    assert sum(looked) == 17
    for path, answers in zip(paths, together, strict=True):
        ((_, alone),) = evaluate([path], ["noise"], 17)
        np.testing.assert_array_equal(alone.answers, answers)
