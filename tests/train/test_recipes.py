"""Every recipe names its command, states its expectations, holds only options that exist, and stands in the table."""

import csv
import json
from functools import cache
from pathlib import Path

import pytest
import yaml
from quick_python import python

from equisym.data.labelled_sources import GROUPS
from equisym.train import TrainConfig
from equisym.train.artifacts import make_network
from equisym.train.image_sets import answers_of

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "train").glob("*.yaml"))


@cache
def built(arch: str, options: str, classes: int, inputs: str) -> bool:
    return make_network(arch, json.loads(options), num_classes=classes, inputs=inputs) is not None


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_a_configuration(recipe):
    text = recipe.read_text()
    assert text.startswith(f"# equisym-train --config train/{recipe.name}")
    config = TrainConfig(**yaml.safe_load(text))
    assert built(config.arch, json.dumps(config.model_options), len(answers_of(config, GROUPS)), config.inputs)
    table = (ROOT / "train" / "README.md").read_text()
    assert f"[{recipe.name}]({recipe.name})" in table
    if recipe.stem not in ("smoke", "e2resnet"):
        score = text.splitlines()[1].split("Expected score: ")[1].removesuffix(".")
        assert score in table


def test_every_published_row_has_a_recipe():
    with (ROOT / "eval" / "published" / "accuracy.csv").open() as file:
        rows = {(r["arch"], int(r["train_images"])) for r in csv.DictReader(file) if r["train_images"]}
    rows = {(arch, images) for arch, images in rows if "filter" not in arch}
    names = {"resnet50": "ResNet50", "fpn_resnet50": "FPN_ResNet50", "xcit_small_12_p8_224": "XCiT"}
    recipes = [yaml.safe_load(r.read_text()) for r in RECIPES if r.stem.startswith("published")]
    assert rows <= {(names.get(r["arch"]), r["train_images"]) for r in recipes}
    assert all((r["optimiser"], r["lr"], r["epochs"], r["weight_decay"]) == ("adam", 1e-3, 20, 0) for r in recipes)


def test_smoke_recipe_trains_and_evaluates(tmp_path):
    run, report = tmp_path / "smoke", tmp_path / "report"
    recipe = ROOT / "train" / "smoke.yaml"
    train = ["equisym.train.command", "--config", recipe, "--out", run]
    judge = ["equisym.eval.command", run, "--count", "34", "--out", report]
    for module, *arguments in (train, judge):
        python("-m", module, *arguments).check_returncode()
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary["test"]) == {"noise", "photo", "atom"}
    with (report / "cross_dataset.csv").open() as file:
        assert [row["test_family"] for row in csv.DictReader(file)] == ["noise", "photo", "atom"]
