import numpy as np
import pytest
import torch

from equisym.crystal import SymmetryFeatures
from equisym.crystal.symmetry_features import CLASS_GROUP
from equisym.data import Degradation, WallpaperDataset
from equisym.groups import WALLPAPER_GROUPS
from equisym.train.feature_set import FeatureSet, extract_feature_set, features_of
from equisym.train.feature_training import PseudoSymmetry, calibrate, fit_crystal, fit_symnet


@pytest.fixture(scope="module")
def noise() -> FeatureSet:
    return features_of(WallpaperDataset("noise", 204, size=96, seed=1), range(204))


@pytest.fixture(scope="module")
def atoms() -> FeatureSet:
    return features_of(WallpaperDataset("atom", 68, size=96, seed=2, split="test"), range(68))


def accuracy(network, images: FeatureSet) -> float:
    with torch.no_grad():
        return float((network(images.features.pack()).argmax(-1) == images.labels).float().mean())


def test_packing_loses_nothing(noise):
    again = SymmetryFeatures.unpack(noise.features.pack())
    for name, values in noise.features.arrays().items():
        np.testing.assert_array_equal(values, again.arrays()[name])


@pytest.mark.parametrize("fit", [lambda r, y: fit_symnet(r, y, steps=250), fit_crystal], ids=["symnet", "crystal"])
def test_what_is_learned_from_noise_holds_for_atoms(noise, atoms, fit):
    network = fit(noise.features.pack(), noise.labels)
    assert accuracy(network, noise) > 0.95
    assert accuracy(network, atoms) > 0.85


def test_training_is_a_function_of_the_seed(noise):
    rows = noise.features.pack()
    first, again, other = (fit_symnet(rows, noise.labels, steps=5, seed=seed)(rows[:4]) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_calibration_never_makes_the_labels_less_likely(noise, atoms):
    network = fit_symnet(noise.features.pack(), noise.labels, steps=60)
    rows = atoms.features.pack()
    loss = torch.nn.functional.nll_loss
    with torch.no_grad():
        before = loss(network(rows), atoms.labels)
    temperature = calibrate(network, rows, atoms.labels)
    assert temperature > 0
    assert network.temperature.item() == pytest.approx(temperature)
    with torch.no_grad():
        assert loss(network(rows), atoms.labels) <= before + 1e-6


def test_mixing_leaves_the_label_borne_out_and_its_own_operations_alone(noise):
    torch.manual_seed(0)
    before = noise.features
    after = SymmetryFeatures.unpack(PseudoSymmetry(margin=0.1, chance=1.0)(before.pack(), noise.labels))
    power = before.signal.clamp(min=0).sum(-1, keepdim=True)
    was, now = (1 - e.profile.sum(-1) / power for e in (before, after))
    own = noise.labels[:, None] == CLASS_GROUP
    forbidden = (was > 0.1) & ~own
    assert (now[forbidden] > 0.0999).all()
    assert ((was - now)[own].abs() < 0.05).all()
    changed = ((was - now).abs() > 1e-4).any(1)
    assert changed[noise.labels == WALLPAPER_GROUPS["p1"].label].all()
    assert not changed[noise.labels == WALLPAPER_GROUPS["p6m"].label].any()


def test_extraction_that_was_cut_off_is_continued(tmp_path, noise):
    dataset = WallpaperDataset("noise", 204, size=96, seed=1)
    whole = extract_feature_set(dataset, tmp_path, progress=False)
    (tmp_path / "part-1.npz").unlink()
    kept = (tmp_path / "part-0.npz").stat().st_mtime_ns
    again = extract_feature_set(dataset, tmp_path, progress=False)
    assert (tmp_path / "part-0.npz").stat().st_mtime_ns == kept
    assert torch.equal(whole.features.pack(), again.features.pack())
    torch.testing.assert_close(whole.features.pack(), noise.features.pack(), rtol=1e-3, atol=1e-3)
    assert whole.lattice_found().float().mean() > 0.97


def test_degradation_spares_a_quarter_and_depends_on_the_seed():
    image = torch.rand(1, 48, 48, generator=torch.Generator().manual_seed(0))
    results = [Degradation()(image, seed=(4, k)) for k in range(80)]
    spared = sum(torch.equal(r, image) for r in results)
    assert 12 <= spared <= 45  # a quarter at least, and those of the rest that chance spared
    assert torch.equal(results[7], Degradation()(image, seed=(4, 7)))
    assert all(r.isfinite().all() for r in results)
