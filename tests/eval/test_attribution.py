"""Saliency that adds up to what it explains, and features that are those of the head."""

import sys

import pytest
import torch
from torch import nn

from equisym.eval.attribution import embedding, features, saliency
from equisym.models import build


def test_saliency_adds_up_to_the_change_of_the_answer():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(25, 8), nn.Tanh(), nn.Linear(8, 17))
    images = torch.rand(3, 1, 5, 5)
    grey = images.mean((-2, -1), keepdim=True).expand_as(images)
    logits, start = network(images), network(grey)
    answers = logits.argmax(1)
    change = (logits - start).gather(1, answers[:, None])[:, 0]
    found = saliency(network, images, steps=64)
    assert found.shape == (3, 5, 5)
    torch.testing.assert_close(found.sum((1, 2)), change.detach(), rtol=1e-3, atol=1e-3)


def test_saliency_turns_with_the_image_of_an_invariant_network():
    torch.manual_seed(0)
    network, image = build("e2resnet", width=2).eval(), torch.rand(1, 1, 33, 33)
    turned = saliency(network, image.rot90(1, (-2, -1)), steps=8)
    torch.testing.assert_close(turned, saliency(network, image, steps=8).rot90(1, (-2, -1)), rtol=1e-3, atol=1e-4)


def test_saliency_without_captum_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ValueError, match="saliency needs the package captum: pip install captum"):
        saliency(build("e2resnet", width=2).eval(), torch.rand(1, 1, 33, 33))


@pytest.mark.parametrize("options", [{}, {"head": "tree"}], ids=str)
def test_features_are_what_the_last_layer_reads(options):
    network, images = build("e2resnet", width=2, **options).eval(), torch.rand(5, 1, 33, 33)
    rows = features(network, images, batch_size=2)
    head = (network.network if options else network).readout.linear
    assert rows.shape == (5, head.in_features)
    expected = network.tree(head(rows)) if options else head(rows)
    torch.testing.assert_close(expected, network(images))


def test_embedding_keeps_two_heaps_apart():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(40, 10, generator=generator)
    rows[20:] += 20
    places = embedding(rows)
    assert places.shape == (40, 2)
    near = ((places[:, None] - places[None]) ** 2).sum(-1)
    near[range(40), range(40)] = float("inf")
    assert ((near.argmin(1) < 20) == (torch.arange(40).numpy() < 20)).all()
