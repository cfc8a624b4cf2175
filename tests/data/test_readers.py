"""Each format gives back what was written, with its pixel size, and lets one of several images be chosen."""

import sys
import threading
import warnings
from pathlib import Path

import h5py
import instrument_files as files
import numpy as np
import pytest
import tifffile
from instrument_files import MORE, PIXELS
from PIL import Image
from reader_cases import FORMAT_CASES

from equisym import SymmetryClassifier
from equisym.data.readers import FORMATS, SUFFIXES, foreign_suffixes, list_images, read_image

LOSSY = {"jpg": ("a.jpg", files.jpg), "jpeg-tif": ("a.tif", files.jpeg_tif)}
STACKS = {
    "hyperspy": (("a.hspy", files.hyperspy), "#1", MORE),
    "berkeley-named": (("a.emd", files.berkeley_named), "#1", MORE),
    "velox": (("a.emd", files.velox), "#HAADF/1", MORE),
    "velox-detector": (("a.emd", files.velox), "#BF/2", PIXELS + 12),
    "mrc": (("a.mrc", files.mrc), "#1", MORE),
    "ser": (("a.ser", files.tia), "#1", MORE),
    "dm4": (("a.dm4", files.dm4_stack), "#1", MORE),
    "hyperstack": (("a.tif", files.imagej_hyperstack), "#1,2,0", PIXELS + 10),
    "ome": (("a.tif", files.ome), "#1", MORE),
    "igor": (("a.ibw", files.igor), "#AmplitudeRetrace", MORE),
    "nanonis": (("a.sxm", files.nanonis), "#Z backward", MORE),
    "blockfile": (("a.blo", files.blockfile), "#patterns/1,2", np.tile(np.array([[52, 0, 0, 0]]), (4, 1))),
}


@pytest.mark.parametrize("row", FORMAT_CASES)
def test_pixels_and_their_size_come_back(row, tmp_path):
    name, write, part, size = FORMAT_CASES[row]
    write(tmp_path / name)
    image = read_image(f"{tmp_path / name}{part}")
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert image.pixel_size == (None if size is None else pytest.approx(size, rel=1e-5))
    assert image.source == name + part


@pytest.mark.parametrize("row", STACKS)
def test_an_image_of_a_stack(row, tmp_path):
    (name, write), part, pixels = STACKS[row]
    write(tmp_path / name)
    np.testing.assert_array_equal(read_image(f"{tmp_path / name}{part}").pixels, pixels)


@pytest.mark.parametrize("row", LOSSY)
def test_lossy_pixels(row, tmp_path):
    name, write = LOSSY[row]
    write(tmp_path / name)
    image = read_image(tmp_path / name)
    assert image.pixels.dtype == np.uint8
    np.testing.assert_allclose(image.pixels.astype(int), PIXELS, atol=4)
    assert image.pixel_size is None


def test_every_format_has_a_row():
    covered = {name.rpartition(".")[2] for name, *_ in (*FORMAT_CASES.values(), *LOSSY.values())}
    same_reader = {"jpeg", "tiff", "mrcs", "map"}  # another name of the same format
    assert covered | same_reader == set(SUFFIXES) == {s for f in FORMATS for s in f.suffixes}


def test_the_table_in_the_documentation_has_every_format():
    page = (Path(__file__).parents[2] / "docs" / "instrument.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.count("|") == 7]
    told = {suffix.strip() for row in rows[2:] for suffix in row[1].split(",")}
    assert told == set(SUFFIXES) - {"jpeg"}


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
def test_frames_of_velox_are_no_colours(frames, tmp_path):
    files.velox(tmp_path / "a.emd", frames=frames)
    (haadf, _) = list_images(tmp_path / "a.emd")
    assert haadf.stack == ((("t", frames),) if frames > 1 else ())
    last = read_image(f"{tmp_path}/a.emd#BF/{frames - 1}")
    np.testing.assert_array_equal(last.pixels, PIXELS + 10 + frames - 1)
    with pytest.raises(ValueError, match=f"has no image #BF/{frames}"):
        read_image(f"{tmp_path}/a.emd#BF/{frames}")


def test_signals_of_hyperspy_that_are_no_stack_of_images(tmp_path):
    rgb = np.zeros((40, 50), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"] = PIXELS
    files.hyperspy_signal(tmp_path / "rgb.hspy", rgb, False, False)
    image = read_image(tmp_path / "rgb.hspy")
    np.testing.assert_array_equal(image.pixels[..., 1], PIXELS)
    assert (image.pixels.shape, image.pixel_size) == ((40, 50, 3), (0.5, 0.5))
    spectra = np.stack((PIXELS, MORE, PIXELS), -1)  # a spectrum at each point: a map of each channel
    files.hyperspy_signal(tmp_path / "map.hspy", spectra, True, True, False)
    np.testing.assert_array_equal(read_image(f"{tmp_path}/map.hspy#1").pixels, MORE)
    files.hyperspy_signal(tmp_path / "line.hspy", PIXELS, True, False)
    files.hyperspy_signal(tmp_path / "one.hspy", PIXELS[0], False)
    for name, shape in (("line", r"\(40, 50\)"), ("one", r"\(50,\)")):
        with pytest.raises(ValueError, match=f"holds an array of shape {shape}; an image has two dimensions"):
            read_image(tmp_path / f"{name}.hspy")


def test_samples_that_are_no_colours(tmp_path):
    several = np.stack((PIXELS, MORE, PIXELS, PIXELS), -1)
    options = {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "detectors.tif", several, extrasamples=["unspecified"] * 3, **options)
    np.testing.assert_array_equal(read_image(f"{tmp_path}/detectors.tif#1").pixels, MORE)
    tifffile.imwrite(tmp_path / "alpha.tif", several[..., :2], extrasamples=["unassalpha"], **options)
    assert read_image(tmp_path / "alpha.tif").pixels.shape == (40, 50, 2)
    rgb = several.astype(np.uint8)
    tifffile.imwrite(tmp_path / "more.tif", rgb, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read_image(tmp_path / "more.tif").pixels, rgb[..., :3])
    ink = np.stack((PIXELS, MORE, PIXELS, 0 * PIXELS), -1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "ink.tif", ink, photometric="separated")
    np.testing.assert_array_equal(read_image(tmp_path / "ink.tif").pixels, 255 - ink[..., :3])


def test_an_axis_that_is_no_length_has_no_pixel_size(tmp_path):
    files.dm4(tmp_path / "a.dm4", scales=((0.02, "nm"), (0.4, "eV")))
    assert read_image(tmp_path / "a.dm4").pixel_size is None
    from gwyfile.objects import GwyContainer, GwyDataField

    GwyContainer({"/0/data/title": "Z", "/0/data": GwyDataField(PIXELS.astype(float))}).tofile(str(tmp_path / "a.gwy"))
    (signal,) = list_images(tmp_path / "a.gwy")
    assert (signal.name, signal.pixel_size) == ("Z", None)


def _diffraction(folder):
    """Files whose axes are one over a length, or an angle, and one whose axes are lengths."""
    from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

    field = GwyDataField(PIXELS.astype(float), si_unit_xy=GwySIUnit(unitstr="1/m"))
    GwyContainer({"/0/data": field}).tofile(str(folder / "a.gwy"))
    files.dm4(folder / "a.dm4", scales=((0.02, "1/nm"), (0.02, "1/nm")))
    tifffile.imwrite(folder / "a.tif", PIXELS, imagej=True, resolution=(50, 25), metadata={"unit": "1/nm"})
    for name, unit in (("a.hspy", "mrad"), ("real.hspy", "nm")):
        files.hyperspy_signal(folder / name, PIXELS, False, False)
        with h5py.File(folder / name, "a") as file:
            for i in range(2):
                file[f"Experiments/signal/axis-{i}"].attrs["units"] = unit
    files.berkeley(folder / "a.emd")
    with h5py.File(folder / "a.emd", "a") as file:
        for item in file.values():
            for group in item.values() if isinstance(item, h5py.Group) else ():
                for i in range(2):
                    group[f"dim{i + 1}"].attrs["units"] = "[1_n_m]"
    return ["a.gwy", "a.dm4", "a.tif", "a.hspy", "a.emd"]


def test_diffraction_patterns_are_known_by_their_units(tmp_path):
    for name in _diffraction(tmp_path):
        image = read_image(tmp_path / name)
        assert (image.reciprocal, image.pixel_size) == (True, None), name
        with pytest.raises(ValueError, match=f"{name}: a diffraction pattern or a Fourier transform"):
            image.in_real_space()
        with pytest.raises(ValueError, match="or give the pixel size"):
            SymmetryClassifier.from_pretrained().predict(tmp_path / name)
        SymmetryClassifier.from_pretrained().predict(tmp_path / name, pixel_size=0.1)  # who knows better is believed
    assert not read_image(tmp_path / "real.hspy").reciprocal


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int32"])
def test_depths_of_tif(dtype, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS.astype(dtype))
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.pixels, PIXELS)


def test_colours(tmp_path):
    rgb = np.stack((PIXELS, MORE, PIXELS), -1).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    tifffile.imwrite(tmp_path / "planes.tif", np.moveaxis(rgb, -1, 0), photometric="rgb", planarconfig="separate")
    for name in ("a.png", "a.tif", "planes.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name).pixels, rgb)
    files.palette(tmp_path / "palette.tif")
    assert read_image(tmp_path / "palette.tif").pixels.shape == (40, 50, 3)


def test_a_reduced_copy_in_a_tif_is_no_second_image(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(PIXELS)
        tif.write(PIXELS[::4, ::4], subfiletype=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, PIXELS)


def test_a_choice_must_be_made(tmp_path):
    np.savez(tmp_path / "a.npz", first=PIXELS, second=MORE)
    with pytest.raises(ValueError, match="FILE#NAME, NAME one of first, second"):
        read_image(tmp_path / "a.npz")
    assert read_image(f"{tmp_path}/a.npz#second").pixels[0, 0] == MORE[0, 0]
    np.save(tmp_path / "b.npy", np.stack([PIXELS, MORE]))
    with pytest.raises(ValueError, match="stack of 2 images; say which by FILE#0 .. FILE#1"):
        read_image(tmp_path / "b.npy")
    files.velox(tmp_path / "v.emd")
    with pytest.raises(ValueError, match="holds 2 images; say which by FILE#NAME, NAME one of HAADF, BF"):
        read_image(tmp_path / "v.emd")
    files.imagej_hyperstack(tmp_path / "h.tif")
    with pytest.raises(ValueError, match=r"stack of 2 x 3 x 2 images; say which by FILE#t,z,c, such as FILE#0,0,0"):
        read_image(tmp_path / "h.tif")
    assert [(s.name, s.stack) for s in list_images(tmp_path / "v.emd")] == [("HAADF", (("t", 3),)), ("BF", (("t", 3),))]


def test_a_choice_that_cannot_be_honoured_is_an_error(tmp_path):
    files.png(tmp_path / "a.png")
    files.mrc(tmp_path / "a.mrc")
    files.velox(tmp_path / "a.emd")
    files.imagej_hyperstack(tmp_path / "h.tif")
    for part, words in (
        ("a.png#3", "has no image #3: it holds one image"),
        ("a.mrc#2", "has no image #2; they are #0 .. #1"),
        ("a.mrc#z", "has no image #z"),
        ("a.png#x", "has no image #x: it holds one image"),
        ("a.mrc#0,0", "holds a stack of 2 images; say which by FILE#0 .. FILE#1"),
        ("a.emd#1", "holds a stack of 3 images; say which by FILE#BF/0 .. FILE#BF/2"),
        ("a.emd#BF/3", "has no image #BF/3; they are #BF/0 .. #BF/2"),
        ("a.emd#ADF", "has no image #ADF; say which by FILE#NAME, NAME one of HAADF, BF"),
        ("h.tif#0,3,0", "has no image #0,3,0; they are #0 .. #2 along z"),
        ("h.tif#1", "stack of 2 x 3 x 2"),
    ):
        with pytest.raises(ValueError, match=words):
            read_image(tmp_path / part)


def test_threads_read_at_once_and_leave_the_interpreter_as_it_was(tmp_path):
    for row, (name, write, _, _) in FORMAT_CASES.items():
        (tmp_path / row).mkdir()
        write(tmp_path / row / name)
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(200))
    before = (sys.stdout, sys.stderr, list(warnings.filters))
    seen = []

    def work(seed):
        for row in np.random.default_rng(seed).permutation(sorted(FORMAT_CASES)):
            name, _, part, _ = FORMAT_CASES[row]
            seen.append(np.array_equal(read_image(f"{tmp_path / row / name}{part}").pixels, PIXELS))
            with pytest.raises(ValueError, match="damaged"):
                read_image(tmp_path / "broken.tif")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 6 * len(FORMAT_CASES)
    assert (sys.stdout, sys.stderr, list(warnings.filters)) == before


def test_rosettasciio_is_used_where_it_is_installed(tmp_path, monkeypatch):
    """A stand-in with rosettasciio's interface, since it is under the GPL and no dependency."""
    folder = tmp_path / "rsciio" / "strange"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text(
        "IO_PLUGINS = [{'name': 'Strange', 'file_extensions': ['xyz', 'tif'], 'api': 'rsciio.strange'}]"
    )
    (folder / "specifications.yaml").write_text("name: Strange\nfile_extensions: [xyz, tif]\n")
    (folder / "__init__.py").write_text(
        "import numpy as np\n"
        "def file_reader(filename, lazy=False):\n"
        "    axes = [dict(scale=s, units=u, navigate=n, index_in_array=i, size=4)\n"
        "            for i, (s, u, n) in enumerate([(1, 's', True), (0.4, 'A', False), (20, 'pm', False)])]\n"
        "    return [dict(data=np.arange(60.0).reshape(3, 4, 5), axes=axes, metadata={})]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    foreign_suffixes.cache_clear()
    try:
        assert foreign_suffixes() == ("xyz",)
        assert "rsciio" not in sys.modules
        (tmp_path / "a.xyz").write_text("x")
        image = read_image(tmp_path / "a.xyz#1")
        np.testing.assert_array_equal(image.pixels, np.arange(20.0, 40).reshape(4, 5))
        assert image.pixel_size == pytest.approx((0.04, 0.02))
    finally:
        foreign_suffixes.cache_clear()
        for name in [n for n in sys.modules if n.split(".")[0] == "rsciio"]:
            del sys.modules[name]


def test_a_picture_is_copied_in_strips(tmp_path, monkeypatch):
    monkeypatch.setattr("equisym.data.readers.pictures._STRIP", 1000)
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (70, 50), np.uint8)
    for k, picture in enumerate(
        [
            Image.fromarray(grey),
            Image.fromarray(grey > 99),
            Image.fromarray(grey.astype(np.uint16) * 256),
            Image.fromarray(np.stack([grey, grey.T[:1].repeat(70, 0)[:, :50], grey], -1)),
            Image.fromarray(grey).convert("P"),
        ]
    ):
        picture.save(tmp_path / f"{k}.png")
        expected = np.asarray(picture.convert("RGB") if picture.mode == "P" else picture)
        np.testing.assert_array_equal(read_image(tmp_path / f"{k}.png").pixels, expected)
