"""Patterns that cover a small part of an image are answered from that part; several that differ are refused."""

import numpy as np
import pytest
import torch

from equisym.crystal import estimate_lattice
from equisym.crystal.pattern_area import pattern_area
from equisym.data.situations.deviations import basis_of
from equisym.data.situations.drawing import image, of_group
from equisym.predict import SymmetryClassifier
from equisym.predict.closer_look import look_closely
from equisym.predict.elements_in_image import elements_in_image, middle_cell
from equisym.predict.preprocessing import as_pixels

SIZE = 320


def drawn(*particles, seed=0):
    """Discs (group, length of the cell, turn, x, y, radius) of a pattern each, on blurred noise; and their mask."""
    rng, (y, x) = np.random.default_rng(seed), np.mgrid[:SIZE, :SIZE].astype(float)
    noise = torch.from_numpy(rng.standard_normal((1, 1, SIZE, SIZE)))
    blurred = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[0, 0].numpy()
    picture, covered = 0.5 * blurred / blurred.std(), np.zeros((SIZE, SIZE), bool)
    for name, length, turn, cx, cy, radius in particles:
        inside = np.hypot(x - cx, y - cy) < radius
        pattern = image(of_group(name, basis_of(name, length, turn), 5, 2, sigma=0.13), SIZE)
        picture = np.where(inside, 0.4 * picture + (pattern - pattern.mean()) / pattern.std() + 1, picture)
        covered |= inside
    return picture + 0.2 * rng.standard_normal(picture.shape), covered


@pytest.fixture(scope="module")
def classifier():
    return SymmetryClassifier.from_pretrained()


@pytest.mark.parametrize("name", ["p4", "pmg", "p31m"])
@pytest.mark.parametrize("place", [(105, 210, 55, 13.0), (240, 70, 70, 17.0)])
def test_a_particle_is_answered_and_its_place_told(classifier, name, place):
    cx, cy, radius, length = place
    found = classifier.predict(drawn((name, length, 20, cx, cy, radius))[0])
    assert found.group == name
    assert found.probabilities[name] > 0.8
    assert "covers" in found.notes[0]
    x, y, width, height = found.region
    assert abs(x + width / 2 - cx) < 8
    assert abs(y + height / 2 - cy) < 8
    assert abs(width - 2 * radius) < 24
    outline = middle_cell(found) + np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) @ found.cell.T
    assert (np.hypot(*(outline - (cx, cy)).T) < radius).all()
    cells = elements_in_image(found).cells - (x, y)
    assert (cells > -1).all()
    assert (cells < (width, height)).all()
    assert found.to_dict()["region"] == [x, y, width, height]


def test_two_particles_that_are_turned_are_refused(classifier):
    both = drawn(("p4m", 15.0, 10, 90, 90, 70), ("p4m", 15.0, 35, 230, 230, 70))[0]
    assert "several lattices" in classifier.predict(both).refused
    assert "turned by 25 degrees" in classifier.predict(both).refused


def test_the_area_is_that_of_the_pattern():
    picture, covered = drawn(("p2", 14.0, 20, 120, 200, 60))
    grey = torch.from_numpy(picture).float()
    part = slice(160, 240), slice(80, 160)
    area, elsewhere = pattern_area(grey, estimate_lattice(grey[part].contiguous()), part)
    assert (area & ~covered).sum() < 0.02 * covered.sum()
    assert (area & covered).sum() > 0.8 * covered.sum()
    assert elsewhere < 0.05


@pytest.mark.parametrize("drawing", ["noise", "pattern", "bent"])
def test_other_images_are_looked_at_as_a_whole(drawing):
    motif = of_group("p4", basis_of("p4", 21.0), 5, 2)
    pictures = {
        "noise": lambda: drawn()[0],
        "pattern": lambda: image(motif, SIZE),
        "bent": lambda: image(lambda x, y: motif(x + 2.5 * np.sin(y / 50), y + 2 * np.sin(x / 60)), SIZE),
    }
    look = look_closely(as_pixels(pictures[drawing]()))
    assert look.view.grey.shape == (SIZE, SIZE)
    assert not any("covers" in note for note in look.notes)
