"""Pixel attribution and embedding maps: which pixels an answer depends on, which images a network finds similar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equisym.groups import WALLPAPER_GROUPS


def saliency(model: nn.Module, images: Tensor, *, steps: int = 16) -> Tensor:
    r"""Integrated gradients of each image's answer, from a grey image to the image.

    .. math:: s(x) = (x - x_0) \int_0^1 \frac{\partial\, y(x_0 + t (x - x_0))}{\partial x}\, dt

    y is the logit of the answer and x_0 the image's mean brightness.

    Args:
        model: from images to logits, in eval mode.
        images: shape (N, C, H, W).
        steps: of the integral.

    Returns:
        Shape (N, H, W), summed over channels; where it is positive, the pixel supports the answer.

    Raises:
        ValueError: without the package captum.

    Source: Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks (2017), by captum.
    """
    try:
        from captum.attr import IntegratedGradients
    except ImportError:
        raise ValueError("saliency needs the package captum: pip install captum") from None
    with torch.no_grad():
        answers = model(images).argmax(1)
    grey = images.mean((-2, -1), keepdim=True).expand_as(images)
    parts = IntegratedGradients(model).attribute(images, grey, target=answers, n_steps=steps, internal_batch_size=64)
    return parts.detach().sum(1)


@torch.no_grad()
def features(model: nn.Module, images: Tensor, *, batch_size: int = 64) -> Tensor:
    """Input of a network's last linear layer, shape (N, features)."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"{type(model).__name__} has no linear layer whose input could be shown")
    seen: list[Tensor] = []
    handle = linear[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1).float()))
    try:
        for batch in images.split(batch_size):
            model(batch)
    finally:
        handle.remove()
    return torch.cat(seen)


def embedding(rows: Tensor, *, seed: int = 0) -> NDArray[np.float64]:
    """Two coordinates for each row, close together for similar rows (t-SNE after PCA); shape (N, 2)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    values = rows.double().numpy()
    values = (values - values.mean(0)) / (values.std(0) + 1e-9)
    values = PCA(min(30, *values.shape), random_state=seed).fit_transform(values)
    return TSNE(perplexity=min(30, (len(values) - 1) / 3), random_state=seed, init="pca").fit_transform(values)


def plot_saliency(model: nn.Module, images: Tensor, labels: Tensor, path: Path) -> None:
    """Images, and below each its pixel attribution: red supports the answer, blue opposes it."""
    from matplotlib.figure import Figure

    parts, names = saliency(model, images), WALLPAPER_GROUPS.names
    with torch.no_grad():
        answers = model(images).argmax(1).tolist()
    figure = Figure(figsize=(1.3 * len(images), 3.2), layout="constrained")
    for column, (above, below) in enumerate(zip(*figure.subplots(2, len(images), squeeze=False), strict=True)):
        above.imshow(images[column].mean(0), cmap="gray")
        limit = parts[column].abs().quantile(0.99).item() or 1.0
        below.imshow(parts[column], cmap="RdBu_r", vmin=-limit, vmax=limit)
        truth, answer = names[int(labels[column])], answers[column]
        above.set_title(truth, fontsize=8)
        said = names[answer] if len(names) > max(answers) else str(answer)
        below.set_title(said, fontsize=8, color="black" if said == truth else "#a63d40")
        above.set_axis_off()
        below.set_axis_off()
    figure.savefig(path, dpi=110)


def plot_embedding(places: NDArray[np.float64], labels: Tensor, families: list[str], path: Path) -> None:
    """The same map twice: coloured by group, and by family.

    Args:
        places: shape (N, 2).
        labels: groups, shape (N,).
        families: family of each image.
        path: picture file.
    """
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for group in WALLPAPER_GROUPS:
        own = places[labels.numpy() == group.label]
        left.scatter(*own.T, s=9, color=matplotlib.colormaps["tab20"](group.label), label=group.name)
    for family in dict.fromkeys(families):
        right.scatter(*places[np.array(families) == family].T, s=9, alpha=0.7, label=family)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
        axes.legend(fontsize=7, ncols=1, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=110)
