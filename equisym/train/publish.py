"""A trained network as a folder to give away: weights, description, and a card made of the run's own figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from equisym.document import Block, Code, Table, Text, render_markdown
from equisym.plain_text import one_line
from equisym.train.artifacts import load_model, write_whole
from equisym.train.checksums import check_sealed
from equisym.train.run_folder import read_recorded


def save_pretrained(run: str | Path, folder: str | Path) -> Path:
    """Write ``model.safetensors``, ``config.json`` and the model card ``README.md`` of a finished run.

    Args:
        run: folder written by equisym-train.
        folder: where to write; made if it does not exist.

    Returns:
        The folder.

    Raises:
        ValueError: if the run is not finished.
    """
    run, folder = Path(run), Path(folder)
    if not (run / "summary.json").is_file():
        raise ValueError(f"{run} holds no finished run, there is no summary.json: train it, or continue with --resume")
    model, about = load_model(run)
    del model
    summary = _record(run, "summary.json", json.loads)
    config = read_recorded(run)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "model.safetensors", folder / "model.safetensors")
    write_whole(folder / "config.json", json.dumps(about, indent=2) + "\n")
    write_whole(folder / "README.md", model_card(about, summary, config))
    return folder


def from_pretrained(folder: str | Path, *, imports: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """Read a folder written by :func:`save_pretrained`, or a model of the Hugging Face Hub; nothing is unpickled.

    Args:
        folder: the folder, which needs no network, or ``hf-hub:OWNER/NAME``, which is fetched from the Hub.
        imports: package that registers the network's architecture, where it is no installed one.

    Returns:
        The network in eval mode, and its description.

    Raises:
        ValueError: if there is no model of ours, or its architecture is not known here.
        ImportError: for a name of the Hub without the package huggingface_hub.
    """
    return load_model(folder, imports=imports)


def push_to_hub(folder: str | Path, repository: str) -> str:
    """Upload a folder written by :func:`save_pretrained` to the Hugging Face Hub, if its client is installed.

    Args:
        folder: what to upload.
        repository: owner/name.

    Returns:
        The address of the commit.

    Raises:
        ImportError: without the package huggingface_hub.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError:
        raise ImportError("push_to_hub needs the package huggingface_hub: pip install 'equisym[hub]'") from None
    interface = HfApi()
    interface.create_repo(repository, exist_ok=True)
    return str(interface.upload_folder(repo_id=repository, folder_path=str(folder)))


def model_card(about: dict[str, Any], summary: dict[str, Any], config: dict[str, Any]) -> str:
    """The card's Markdown.

    Args:
        about: the network's description.
        summary: what ``summary.json`` holds.
        config: what ``config.yaml`` holds.
    """
    own = about.get("classes")
    classes = f"{len(own)} classes" if own else "the 17 wallpaper groups"
    classes = "the three rotation families" if not own and about["num_classes"] == 3 else classes
    local = {"out", "resume", "workers", "logger", "data", "valid_data", "test_data", "photos", "sweep", "jobs"}
    options = "\n".join(f"{key}: {json.dumps(value)}" for key, value in config.items() if key not in local)
    colour = "grey" if about["in_channels"] == 1 else "colour"
    rows = [[f"{summary['train_family']}, validation", f"{100 * summary['valid_accuracy']:.1f}"]]
    rows += [[f"{name}, test", f"{100 * accuracy:.1f}"] for name, accuracy in summary["test"].items()]
    blocks: list[Block] = [
        Text(
            f"Answers with {classes} for a {colour} image of about {about['size']} pixels; "
            f"{summary['params']:,} parameters."
        ),
        *([Text("Classes: " + ", ".join(own) + ".")] if own else []),
        Table(["images", "accuracy in %"], rows),
        Text(
            "It has an answer for every image, whether or not one of its classes is in it."
            if own
            else "Generated test images are drawn anew; families other than the one trained on show how far the "
            "network generalises. For images without a lattice its answer means nothing."
        ),
        Code(
            "from equisym.train.publish import from_pretrained\n\n"
            'model, about = from_pretrained("FOLDER")\n'
            f"logits = model(images)  # (B, {about['in_channels']}, H, W) in 0..1",
            "python",
        ),
        Text("Trained by `equisym-train --config FILE` with"),
        Code(options, "yaml"),
    ]
    head = "---\nlicense: mit\nlibrary_name: equisym\ntags: [symmetry, equivariance, image-classification]\n---\n\n"
    title = f"{about['arch']}, trained on {summary['train_images']:,} {summary['train_family']} images"
    return head + render_markdown(title, blocks, Path())


def _record(run: Path, name: str, read: Callable[[str], Any]) -> dict[str, Any]:
    check_sealed(run / name)
    try:
        found = read((run / name).read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{run / name} is damaged ({one_line(error, 120)})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{run / name} is damaged: it holds no table")
    return found
