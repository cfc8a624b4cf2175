"""A trained network as a folder to give away: weights, description, and a card made of the run's own figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from equisym.train.artifacts import load_model, write_whole


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
    summary = json.loads((run / "summary.json").read_text())
    config = yaml.safe_load((run / "config.yaml").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "model.safetensors", folder / "model.safetensors")
    write_whole(folder / "config.json", json.dumps(about, indent=2) + "\n")
    write_whole(folder / "README.md", model_card(about, summary, config))
    return folder


def from_pretrained(folder: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read a folder written by :func:`save_pretrained`; no network is asked and nothing is unpickled.

    Returns:
        The network in eval mode, and its description.

    Raises:
        ValueError: if the folder holds no model of ours.
    """
    return load_model(folder)


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
        raise ImportError("push_to_hub needs the package huggingface_hub: pip install huggingface_hub") from None
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
    classes = "the 17 wallpaper groups" if about["num_classes"] == 17 else f"{about['num_classes']} classes"
    defaults = {"out", "resume", "workers", "logger"}
    options = "\n".join(f"{key}: {json.dumps(value)}" for key, value in config.items() if key not in defaults)
    lines = [
        "---",
        "license: mit",
        "library_name: equisym",
        "tags: [wallpaper-groups, symmetry, equivariance, image-classification]",
        "---",
        "",
        f"# {about['arch']}, trained on {summary['train_images']:,} {summary['train_family']} images",
        "",
        f"Answers with {classes} for a grey image of about {about['size']} pixels; {summary['params']:,} parameters.",
        "",
        "| images | accuracy in % |",
        "|---|---|",
        f"| {summary['train_family']}, validation | {100 * summary['valid_accuracy']:.1f} |",
        *(f"| {family}, test | {100 * accuracy:.1f} |" for family, accuracy in summary["test"].items()),
        "",
        "Test images are generated anew; families other than the one trained on show how far the network generalises.",
        "It knows periodic images of generated families; it has no answer for images that have no lattice.",
        "",
        "```python",
        "from equisym.train.publish import from_pretrained",
        "",
        'model, about = from_pretrained("FOLDER")',
        "logits = model(images)  # (B, 1, H, W) in 0..1",
        "```",
        "",
        "Trained by `equisym-train --config FILE` with",
        "",
        "```yaml",
        options,
        "```",
        "",
    ]
    return "\n".join(lines)
