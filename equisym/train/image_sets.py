"""What a run trains, validates and tests on: generated images, images of one's own, or any dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset
from tqdm.auto import tqdm

from equisym.data import FAMILIES, Degradation, LabelledImages, PatternOptions, WallpaperDataset, open_labelled
from equisym.data.dataset import worker_count
from equisym.data.labelled import held_out
from equisym.data.labelled_sources import GROUPS
from equisym.models.tree import labels_at
from equisym.train.config import TrainConfig

ROTATION_FAMILIES = ("no rotation", "2-, 4-fold", "3-, 6-fold")


@dataclass(frozen=True)
class ImageSets:
    """The images of a run.

    Attributes:
        train: what is trained on; each item an image (C, H, W) in 0..1 and a label.
        valid: what is validated on.
        test: what is tested on, by name.
        classes: names of the labels.
        name: what the training images are called in tables.
    """

    train: Dataset
    valid: Dataset
    test: Mapping[str, Dataset]
    classes: tuple[str, ...]
    name: str

    def __post_init__(self) -> None:
        for part, dataset in (("train", self.train), ("valid", self.valid)):
            if not length_of(dataset):
                raise ValueError(f"there are no images to {part}: give more, or name them with --{part}-data")
        image, _ = self.train[0]
        if torch.as_tensor(image).ndim != 3:
            raise ValueError(f"images must have the shape (C, H, W) (got {tuple(torch.as_tensor(image).shape)})")
        self.__dict__["shape"] = tuple(torch.as_tensor(image).shape)

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.__dict__["shape"][0]

    @property
    def size(self) -> int:
        """Side of the images in pixels, the longer one."""
        return max(self.__dict__["shape"][1:])

    @property
    def of_groups(self) -> bool:
        """Whether the labels are the 17 wallpaper groups."""
        return self.classes == GROUPS

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        train: Dataset | None = None,
        valid: Dataset | None = None,
        test: Mapping[str, Dataset] | None = None,
    ) -> ImageSets:
        """The images that a configuration names, or the datasets given in their place.

        Raises:
            ValueError: if only a part is given, or the loss needs labels that are the 17 groups.
        """
        if train is not None:
            sets = _given(config, train, valid, test)
        elif valid is not None or test is not None:
            raise ValueError("valid and test are given without train: give all three, or use --data and its like")
        elif config.data is not None:
            sets = _own(config)
        else:
            if config.valid_data or config.test_data or config.colour:
                raise ValueError("--valid-data, --test-data and --colour go with --data: add it")
            sets = _generated(config)
        if config.loss != "flat" and not sets.of_groups:
            raise ValueError(f"the loss {config.loss} needs labels that are the 17 groups: use --loss flat")
        return sets


def length_of(dataset: Dataset) -> int:
    """Number of items of a map-style dataset."""
    return len(dataset)  # pyright: ignore[reportArgumentType]


def generated(config: TrainConfig, families: str | tuple[str, ...], length: int, split: str) -> WallpaperDataset:
    """Generated images of a run's size and seed."""
    options = PatternOptions(photos=config.photos)
    return WallpaperDataset(families, length, size=config.size, seed=config.seed, split=split, options=options)


def coarse_labels(labels: Tensor, config: TrainConfig) -> Tensor:
    """Labels as the loss counts them: the rotation family where that alone is trained."""
    return labels.new_tensor(labels_at("rotation_family"))[labels] if config.loss == "rotation_family" else labels


def answers_of(config: TrainConfig, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Names of what the network answers with."""
    return ROTATION_FAMILIES if config.loss == "rotation_family" else classes


class Degraded(Dataset[tuple[Tensor, int]]):
    """Images of another dataset, degraded at random as a function of seed, split and index.

    Args:
        dataset: whose images these are.
        seed: with the number of the split.
    """

    def __init__(self, dataset: Dataset, seed: tuple[int, ...]) -> None:
        self.dataset, self.seed, self.degrade = dataset, seed, Degradation()

    def __len__(self) -> int:
        return length_of(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, label = self.dataset[index]
        return self.degrade(image, seed=(*self.seed, index)), label


def _generated(config: TrainConfig) -> ImageSets:
    train = generated(config, config.families, config.generated_images, "train")
    valid = generated(config, config.families, config.valid_images, "valid")
    if config.degrade:
        train.corrupt, valid.corrupt = Degradation(), Degradation()
    return ImageSets(train, valid, _families(config), GROUPS, config.trained_on)


def _families(config: TrainConfig) -> dict[str, Dataset]:
    names = FAMILIES if config.test_images else ()
    return {family: generated(config, family, config.test_images, "test") for family in names}


def _own(config: TrainConfig) -> ImageSets:
    assert config.data is not None
    workers = worker_count(config.workers)

    def opened(path: str) -> dict[str, LabelledImages]:
        return open_labelled(path, size=config.size, colour=config.colour, workers=workers)

    splits = opened(config.data)
    train = splits.get("train", splits.get("all"))
    if train is None:
        raise ValueError(f"{config.data} holds no images to train on, only {', '.join(splits)}")
    classes = train.classes
    valid = splits.get("valid")
    if config.valid_data is not None:
        found = opened(config.valid_data)
        valid = found.get("valid", found.get("all", next(iter(found.values()))))
    if valid is None:
        kept, held = held_out(train.targets, seed=config.seed)
        train, valid = train.part(kept), train.part(held)
    if config.train_images is not None and config.train_images < len(train):
        chosen = np.random.default_rng((config.seed, 18)).permutation(len(train))[: config.train_images]
        train = train.part(np.sort(chosen))
    test: dict[str, Dataset] = {}
    if "test" in splits:
        test[splits["test"].name] = splits["test"].named(classes)
    for path in config.test_data:
        found = opened(path)
        images = found.get("test", found.get("all", next(iter(found.values()))))
        test[images.name] = images.named(classes)
    if classes == GROUPS and not config.colour:
        test |= _families(config)
    valid = valid.named(classes)
    sets: list[Dataset] = [train, valid]
    if config.degrade:
        sets = [Degraded(dataset, (config.seed, number)) for number, dataset in enumerate(sets)]
    return ImageSets(sets[0], sets[1], test, classes, config.trained_on)


def _given(config: TrainConfig, train: Dataset, valid: Dataset | None, test: Mapping[str, Dataset] | None) -> ImageSets:
    name = getattr(train, "name", type(train).__name__)
    classes = getattr(train, "classes", None)
    labels = None if classes and valid is not None else labels_of(train)
    if classes is None:
        assert labels is not None
        if isinstance(train, WallpaperDataset):
            classes = GROUPS
        else:
            classes = tuple(map(str, range(int(labels.max()) + 1)))
    if valid is None:
        assert labels is not None
        kept, held = held_out(labels, seed=config.seed)
        train, valid = Subset(train, kept.tolist()), Subset(train, held.tolist())
    if config.train_images is not None and config.train_images < length_of(train):
        chosen = np.random.default_rng((config.seed, 18)).permutation(length_of(train))[: config.train_images]
        train = Subset(train, np.sort(chosen).tolist())
    if config.degrade:
        train, valid = Degraded(train, (config.seed, 0)), Degraded(valid, (config.seed, 1))
    return ImageSets(train, valid, dict(test or {}), tuple(classes), str(name))


def labels_of(dataset: Dataset) -> np.ndarray:
    """The labels of a dataset: its ``targets``, or those of all its items one by one."""
    targets: Any = getattr(dataset, "targets", None)
    if targets is None and isinstance(dataset, WallpaperDataset):
        targets = np.arange(len(dataset)) % 17
    if targets is None and isinstance(dataset, TensorDataset):
        targets = dataset.tensors[1]
    if targets is None:
        numbers: Sequence[int] = range(length_of(dataset))
        targets = [int(dataset[k][1]) for k in tqdm(numbers, desc="labels", delay=2)]
    labels = np.asarray(targets, np.int64)
    if labels.size and labels.min() < 0:
        raise ValueError(f"labels must count from 0 (got {labels.min()})")
    return labels
