"""Read a file of the corpus as the package's commands do: what is said of it, in one word and a sentence."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from typing import Any


def read_image_of(path: str) -> tuple[str, str]:
    """What the classifier says of an image."""
    result = _classifier().predict(path)
    return ("answered", str(result.group)) if result.refused is None else ("refused", result.refused)


def _classifier(made: list[Any] = []) -> Any:  # noqa: B006 - made once in each process
    if not made:
        from equisym import SymmetryClassifier

        made.append(SymmetryClassifier.from_pretrained())
    return made[0]


def read_set(path: str) -> tuple[str, str]:
    """Open a data set as ``--data`` does, and read its first images."""
    from equisym.data import fingerprint, open_labelled

    sets = open_labelled(path, size=33, progress=False)
    for images in sets.values():
        fingerprint(images)
        for k in range(min(len(images), 20)):
            assert images[k][0].shape == (1, 33, 33)
    return "answered", ", ".join(f"{len(images)} {split}" for split, images in sets.items())


def read_model(path: str) -> tuple[str, str]:
    """Load a model as equisym-eval and as equisym-predict do; what the first says is what counts."""
    from equisym.predict.pretrained import load_classifier
    from equisym.train.artifacts import load_model

    with contextlib.suppress(ValueError, OSError):
        load_classifier(path)
    return "answered", load_model(path)[1]["arch"]


def read_recipe(path: str) -> tuple[str, str]:
    """Parse a recipe as equisym-train does, and write it as a run records it."""
    import yaml

    from equisym.command_line import run_command, to_options
    from equisym.train import TrainConfig

    said, given = io.StringIO(), sys.argv
    sys.argv = ["equisym-train", "--config", path]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            run_command(TrainConfig, lambda config: yaml.safe_dump(to_options(config)), prog="equisym-train")
    except SystemExit as end:
        if end.code != 2:
            raise RuntimeError(f"exit {end.code}: {said.getvalue()}") from None
        return "error", said.getvalue().removesuffix("\n")
    finally:
        sys.argv = given
    return "answered", ""


READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    "images": read_image_of,
    "sets": read_set,
    "models": read_model,
    "recipes": read_recipe,
}
