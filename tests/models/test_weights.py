"""The weights that come with the package: the files, what they are for, and what the networks still know."""

import dataclasses
import hashlib

import pytest
import timm
import torch

from equisym.data import FAMILIES, WallpaperDataset
from equisym.groups import D
from equisym.models import WEIGHTS, PixelClassifier, build


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_file_is_the_one_described_and_the_network_takes_it(name):
    weights = WEIGHTS[name]
    content = weights.path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == weights.sha256
    assert len(content) < 3 * 2**20
    model = build(name, pretrained=True)
    assert not model.training
    assert weights.recipe
    assert set(weights.accuracies) == set(FAMILIES)


def test_another_file_is_refused():
    damaged = dataclasses.replace(WEIGHTS["crystal"], sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the file that belongs here .*install equisym again"):
        damaged.load_into(build("crystal"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"width": 4}, "17 groups and group='D12', width=6"), ({"num_classes": 3}, "grey images, the 17 groups")],
)
def test_other_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("e2resnet", pretrained=True, **options)


def test_the_group_may_be_named_or_given():
    assert build("e2resnet", pretrained=True, group=D(12)).group == D(12)


def test_an_architecture_without_weights_is_refused():
    with pytest.raises(
        ValueError, match=r"pretrained weights exist for crystal, e2resnet, symnet and timm/NAME \(got 'rkcnn'\)"
    ):
        build("rkcnn", pretrained=True)


def test_weights_of_timm_are_asked_for_by_name_and_tag(monkeypatch):
    asked = []

    def create(name, *, pretrained, **options):
        asked.append((name, pretrained, options))
        return torch.nn.Linear(1, 1)

    monkeypatch.setattr(timm, "create_model", create)
    build("timm/resnet18.a1_in1k", pretrained=True, num_classes=5, in_channels=3)
    build("resnet50", pretrained=True)
    build("timm/resnet18")
    assert [call[:2] for call in asked] == [("resnet18.a1_in1k", True), ("resnet50", True), ("resnet18", False)]
    assert asked[0][2] == {"num_classes": 5, "in_chans": 3}


def test_weights_that_cannot_be_had_are_told_in_a_sentence(monkeypatch):
    with pytest.raises(ValueError, match=r"timm/resnet18.nosuch has no such weights .Invalid pretrained tag"):
        build("timm/resnet18.nosuch", pretrained=True)

    def offline(*_, **__):
        raise FileNotFoundError("cannot find the requested files\nand more")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(OSError, match=r"timm/resnet18 could not be fetched .cannot find the requested files.: .*cache"):
        build("timm/resnet18", pretrained=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_network_of_pixels_knows_families_that_it_never_saw(family):
    images, labels = WallpaperDataset(family, 51, size=65, seed=5, split="test").in_memory(progress=False).tensors
    with torch.inference_mode():
        answers = build("e2resnet", pretrained=True)(images).argmax(1)
    assert (answers == labels).double().mean() > 0.88


@pytest.mark.parametrize("shape", [(65, 65), (66, 300), (200, 130), (40, 50)])
def test_windows_lie_in_the_image_about_its_middle(shape):
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return x.mean((1, 2, 3))[:, None] * torch.ones(17)

    image = torch.rand(shape)
    answer = PixelClassifier(Spy(), size=65, cell=20)(image, 20)
    assert answer.shape == (1, 17)
    assert seen[0].shape[1:] == (1, 65, 65)
    assert 1 <= len(seen[0]) <= 25
    if shape == (65, 65):
        torch.testing.assert_close(seen[0][0, 0], image, atol=1e-5, rtol=0)
