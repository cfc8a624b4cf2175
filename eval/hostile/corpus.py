"""Hostile files of every kind that this package reads, made from a seed: images, data sets, models, recipes.

:func:`make_corpus` writes them into four folders. Nothing here is random beyond the seed, so that a run that was
stopped makes the same files again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hostile.bombs import bombs
from hostile.data_sets import make_sets
from hostile.links import links
from hostile.model_files import make_models
from hostile.mutations import mutations
from hostile.odd_arrays import arrays, odd_names, sparse, thin
from hostile.programs import pickles
from hostile.recipes import make_recipes
from hostile.whole_files import good, whole_files


def make_corpus(folder: Path, trace: Path, secret: Path, seed: int) -> None:
    """Write the corpus.

    Args:
        folder: where; its folders are images, sets, models and recipes.
        trace: a file that exists once a program of the corpus has run.
        secret: a file that nothing of the corpus may lead to.
        seed: of the mutations.
    """
    rng = np.random.default_rng(seed)
    images, sets, models, recipes = (folder / name for name in ("images", "sets", "models", "recipes"))
    for place in (images, sets, models, recipes):
        place.mkdir(parents=True)
    good(images)
    for name, data in mutations(whole_files(images), rng):
        (images / name).write_bytes(data)
    bombs(images)
    links(images, secret)
    pickles(images, trace)
    thin(images, rng)
    arrays(images, rng)
    odd_names(images)
    sparse(images)
    make_sets(sets, secret, trace)
    make_models(models, secret, trace)
    make_recipes(recipes, trace)
