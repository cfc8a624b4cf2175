"""Whatever comes in, one clear line or a refusal comes out; never a traceback, never a confident wrong group."""

import numpy as np
import pytest
import torch
from quick_python import python
from skimage import data

from equisym.crystal import measure
from equisym.data import render
from equisym.predict import SymmetryClassifier
from equisym.predict.background import Background, take_apart
from equisym.predict.lattices_of_parts import differ

CLASSIFIER = SymmetryClassifier.from_pretrained("crystal")
RNG = np.random.default_rng(0)
PATTERN = render("p4m", "noise", seed=1, size=96)[0].numpy()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((64, 64), 7, np.uint8), "constant: all pixels are 7"),
        (np.full((64, 64), np.nan), "not finite"),
        (np.zeros((1, 1)), "too small"),
        (np.indices((64, 64)).sum(0) % 2.0, "periodic|Nyquist"),
        (data.camera()[::4, ::4], "not periodic"),
        (RNG.normal(size=(128, 128)), "not periodic"),
        (np.sin(np.arange(96) / 2)[:, None].repeat(96, 1), "not periodic"),
    ],
    ids=["constant", "all-nan", "1x1", "checkerboard", "photograph", "noise", "stripes"],
)
def test_refused_with_the_reason(image, reason):
    result = CLASSIFIER.predict(image)
    assert result.group is None
    assert (result.lattice is None) == (result.probabilities == {})  # what is known stays
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.refused)
    with pytest.raises(ValueError, match="refused"):
        result.symmetrised_image()


@pytest.mark.parametrize("shape", [(), (64,), (2, 3, 64, 64), (64, 64, 7)])
def test_other_shapes_are_errors(shape):
    with pytest.raises(ValueError, match="image must be"):
        CLASSIFIER.predict(np.zeros(shape))


def test_values_that_are_no_numbers():
    with pytest.raises(ValueError, match="real numbers"):
        CLASSIFIER.predict(np.zeros((32, 32), complex))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "float16", "float64"])
def test_every_type_gives_the_same_answer(dtype):
    scale = {"uint8": 255, "uint16": 65535, "int64": 10**15}.get(dtype, 1)
    assert CLASSIFIER.predict((PATTERN * scale).astype(dtype)).group == "p4m"


def test_several_lattices():
    p = np.indices((192, 192)).astype(float)
    left = np.cos(2 * np.pi * p[1] / 12) + np.cos(2 * np.pi * p[0] / 12)
    right = np.cos(2 * np.pi * p[1] / 9) + np.cos(2 * np.pi * (p[0] + 0.4 * p[1]) / 14.3)
    grains = np.where(p[1] < 96, left, right)
    assert "several lattices" in str(CLASSIFIER.predict(grains).refused)


def test_a_large_image_is_reduced_and_says_so():
    tile = np.asarray(torch.nn.functional.interpolate(torch.rand(1, 1, 8, 8), size=256)[0, 0] * 200).astype(np.uint8)
    result = CLASSIFIER.predict(np.tile(tile, (32, 32)))
    assert "reduced 8-fold from 8192 x 8192" in result.notes[0]
    assert result.refused is None
    np.testing.assert_allclose(np.sort(np.linalg.norm(result.lattice, axis=0)), 256, rtol=2e-3)


def run(*arguments, cwd):
    code = "from equisym.predict.command import main; main()"
    return python("-c", code, "--model", "crystal", *arguments, cwd=cwd)


def test_one_bad_file_is_reported_and_the_rest_go_on(tmp_path):
    np.save(tmp_path / "good.npy", PATTERN)
    (tmp_path / "empty.png").touch()
    (tmp_path / "program.png").write_bytes(b"\x7fELF" + bytes(100))
    done = run("empty.png", "good.npy", "program.png", "--json", "--overlay", "pictures", cwd=tmp_path)
    assert done.returncode == 2
    errors = done.stderr.strip().splitlines()
    assert len(errors) == 2
    assert "empty.png" in errors[0]
    assert "program.png" in errors[1]
    assert len(done.stdout.splitlines()) == 1
    assert '"group": "p4m"' in done.stdout
    assert (tmp_path / "pictures" / "good.png").stat().st_size > 10_000


def test_hardly_any_pixel_known():
    few = np.where(RNG.uniform(size=PATTERN.shape) < 0.04, PATTERN, np.nan)
    result = CLASSIFIER.predict(few)
    assert (result.refused is None) == (result.group is not None)
    corner = np.ma.MaskedArray(PATTERN, np.ones(PATTERN.shape, bool))
    corner.mask[:24, :24] = False
    assert CLASSIFIER.predict(corner) is not None


@pytest.mark.parametrize("short", [16, 17, 24, 33, 48, 64, 80])
@pytest.mark.parametrize("long", [1025, 4999, 70_000])
def test_thin_images_are_answered_or_refused(short, long):
    y, x = np.mgrid[:short, :long].astype(np.float32)
    image = np.cos(x * (2 * np.pi / 8.3)) + np.cos(y * (2 * np.pi / 7.1)) + 0.5 * np.cos(x * 0.757 + y * 0.885)
    for pixels in (image, image.T):
        result = CLASSIFIER.predict(pixels)
        assert (result.refused is None) == (result.group is not None)


def test_lattices_differ_unless_one_contains_the_other():
    fine, coarse = np.array([[8.0, 0.0], [0.0, 9.0]]), np.array([[16.0, 8.0], [0.0, 27.0]])
    other = np.array([[11.0, 0.0], [0.0, 9.0]])
    for first, second in ((fine, coarse), (coarse, fine), (fine, fine)):
        assert not differ(first, second)
    for first, second in ((fine, other), (other, fine), (coarse, other)):
        assert differ(first, second)


def test_patchiness_compares_the_greatest_of_36_parts_with_the_median():
    left = np.ones((60, 72))
    left[20:30, 24:36] = 3.0
    assert Background(left, 0.0, ()).patchiness == pytest.approx(9)


def test_the_cell_explains_the_share_of_the_variance_that_is_no_noise():
    pattern = torch.as_tensor(render("p4m", "noise", seed=1, size=160)[0]).double()
    noise = torch.randn(160, 160, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    image = (pattern - pattern.mean()) / pattern.std() + noise / 2
    found = take_apart(image, measure(image))
    assert found.explained == pytest.approx(1 / (1 + 0.5**2), abs=0.03)
    np.testing.assert_allclose(found.quarters, found.explained, atol=0.1)
