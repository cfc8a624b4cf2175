"""Every recipe names its command and holds only options that exist."""

from pathlib import Path

import pytest
import yaml

from equisym.models import build
from equisym.train import TrainConfig

RECIPES = sorted((Path(__file__).parents[2] / "train").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipe_is_a_configuration(recipe):
    text = recipe.read_text()
    assert text.startswith(f"# equisym-train --config train/{recipe.name}")
    config = TrainConfig(**yaml.safe_load(text))
    build(config.arch, **config.arch_options)


def test_there_are_recipes():
    assert RECIPES
