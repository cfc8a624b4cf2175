"""Each format gives back what was written, with its pixel size; each damaged file one sentence; nothing harms."""

import os
import pickle
import struct
import sys
import threading
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import h5py
import instrument_files as files
import numpy as np
import pytest
import tifffile
from instrument_files import MORE, PIXELS, TALL
from PIL import Image

from equisym.data.readers import FORMATS, SUFFIXES, foreign_suffixes, list_images, read_image

# file name, writer, selector of PIXELS, pixel size (y, x) in nm
FORMAT_ROWS = {
    "png": ("a.png", files.png, "", None),
    "bmp": ("a.bmp", files.bmp, "", None),
    "npy": ("a.npy", files.npy, "", None),
    "npz": ("a.npz", files.npz, "", TALL),
    "hdf5": ("a.h5", files.plain_hdf5, "", TALL),
    "hyperspy": ("a.hspy", files.hyperspy, "#2", TALL),
    "hyperspy-h5": ("a.hdf5", files.hyperspy, "#HAADF/0", TALL),
    "velox": ("a.emd", files.velox, "#HAADF/0", TALL),
    "berkeley": ("a.emd", files.berkeley, "", TALL),
    "berkeley-named": ("a.emd", files.berkeley_named, "#0", TALL),
    "berkeley-frames": ("a.emd", files.berkeley_frames, "#2", TALL),
    "mrc": ("a.mrc", files.mrc, "#0", TALL),
    "mrc-extended": ("a.mrc", files.mrc_extended, "", TALL),
    "imagej": ("a.tif", files.imagej, "", TALL),
    "imagej-hyperstack": ("a.tif", files.imagej_hyperstack, "#0,0,0", TALL),
    "ome": ("a.ome.tif", files.ome, "#0", TALL),
    "fei": ("a.tif", files.fei, "", TALL),
    "zeiss": ("a.tif", files.zeiss, "", (0.02, 0.02)),
    "dm-tif": ("a.tif", files.digital_micrograph_tif, "", TALL),
    "tvips": ("a.tif", files.tvips, "", TALL),
    "olympus": ("a.tif", files.olympus, "#1", TALL),
    "lzw": ("a.tif", files.compressed("lzw"), "", None),
    "zstd": ("a.tif", files.compressed("zstd"), "", None),
    "deflate": ("a.tif", files.compressed("zlib"), "", None),
    "dm3": ("a.dm3", files.dm3, "", TALL),
    "dm4": ("a.dm4", files.dm4, "", TALL),
    "ser": ("a.ser", files.tia, "#0", TALL),
    "nanonis-up": ("a.sxm", files.nanonis, "#Z", TALL),
    "nanonis-down": ("a.sxm", lambda path: files.nanonis(path, "down"), "#Z", TALL),
    "gwyddion": ("a.gwy", files.gwyddion, "", TALL),
    "igor": ("a.ibw", files.igor, "#HeightRetrace", TALL),
    "rhk": ("a.sm4", files.rhk, "", TALL),
    "blockfile": ("a.blo", files.blockfile, "#scan", TALL),
}
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


@pytest.mark.parametrize("row", FORMAT_ROWS)
def test_pixels_and_their_size_come_back(row, tmp_path):
    name, write, part, size = FORMAT_ROWS[row]
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
    covered = {name.rpartition(".")[2] for name, *_ in (*FORMAT_ROWS.values(), *LOSSY.values())}
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


@pytest.mark.parametrize("row", [row for row in FORMAT_ROWS if row != "blockfile"])
@pytest.mark.parametrize("left", [0.0, 0.1, 0.45])
def test_a_truncated_file_is_one_sentence(row, left, tmp_path):
    name, write, part, _ = FORMAT_ROWS[row]
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(ValueError, match="damaged|empty") as caught:
        read_image(f"{tmp_path / name}{part}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "row", ["dm4", "gwyddion", "ser", "nanonis-up", "mrc", "rhk", "igor", "velox", "imagej", "png"]
)
def test_changed_bytes_are_answered_or_one_sentence(row, tmp_path):
    name, write, part, _ = FORMAT_ROWS[row]
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    random = np.random.default_rng(1)
    for _ in range(60):
        changed = bytearray(whole)
        for place in random.integers(0, min(len(whole), 1200), 4):
            changed[place] = random.integers(256)
        (tmp_path / name).write_bytes(bytes(changed))
        said = []
        try:
            read_image(f"{tmp_path / name}{part}", max_bytes=2**24)
        except ValueError as error:
            said.append(str(error))
        assert "\n" not in "".join(said)


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


def test_a_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    np.savez(tmp_path / "c.npz", a=np.array([[Trap()] * 9] * 9, object))
    for name, words in (("a.npy", "pickle"), ("b.npy", "not npy"), ("c.npz", "pickle")):
        with pytest.raises(ValueError, match=words):
            read_image(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_another_kind_than_the_name_says(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x7fELF" + bytes(400))
    with pytest.raises(ValueError, match="damaged, or not png"):
        read_image(tmp_path / "a.png")
    Image.fromarray(PIXELS).save(tmp_path / "b.tif", format="PNG")
    with pytest.raises(ValueError, match="not tif: it begins like png; rename it"):
        read_image(tmp_path / "b.tif")


def test_a_sound_file_that_is_not_read_is_not_called_damaged(tmp_path, monkeypatch):
    files.dm4_complex(tmp_path / "a.dm4")
    np.save(tmp_path / "a.npy", np.array(["text"] * 9))
    for name, words in (("a.dm4", "complex numbers, such as a Fourier transform"), ("a.npy", "holds")):
        with pytest.raises(ValueError, match=words) as caught:
            read_image(tmp_path / name)
        assert "damaged" not in str(caught.value)
    files.compressed("lzw")(tmp_path / "a.tif")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"compressed by LZW, which needs imagecodecs: pip install 'equisym\[micro"):
        read_image(tmp_path / "a.tif")


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


def test_what_is_no_image_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "none.png")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(ValueError, match="images end in"):
        read_image(tmp_path / "a.doc")


def test_sizes_are_checked_before_reading(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("a", (150_000, 150_000), "u2", chunks=(1000, 1000))
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros((6000, 6000), np.uint8))
    Image.new("L", (6000, 6000)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6000, 6000), np.uint8), compression="zlib")
    start = time.perf_counter()
    for name in ("a.h5", "a.npz", "a.png", "a.tif"):
        with pytest.raises(ValueError, match="too large: .* the limit is 16 MiB"):
            read_image(tmp_path / name, max_bytes=2**24)
    assert time.perf_counter() - start < 5
    assert read_image(tmp_path / "a.png").pixels.shape == (6000, 6000)


def test_a_strip_that_unpacks_to_more_than_its_pixels(tmp_path):
    packed = zlib.compress(bytes(2**27), 1)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2000, 2000), np.uint8), compression="zlib", rowsperstrip=2000)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tif:
        tags = tif.pages[0].tags
        place = tif.filehandle.size
        tags["StripOffsets"].overwrite([place])
        tags["StripByteCounts"].overwrite([len(packed)])
    with (tmp_path / "a.tif").open("r+b") as file:
        file.seek(place)
        file.write(packed)
    with pytest.raises(ValueError, match="damaged: its strips unpack to more"):
        read_image(tmp_path / "a.tif")


def test_no_other_file_is_opened(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(range(100)) * 20)
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("a", (20, 40), "u1", external=[(str(tmp_path / "secret"), 0, 800)])
    layout = h5py.VirtualLayout((20, 40), "u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "raw.h5"), "a", (20, 40))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("a", layout)
    for name in ("raw.h5", "virtual.h5"):
        with pytest.raises(ValueError, match="values in other files, which are not opened"):
            read_image(tmp_path / name)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["a"] = h5py.ExternalLink(str(tmp_path / "raw.h5"), "/a")
    with pytest.raises(ValueError, match="holds no image"):
        read_image(tmp_path / "link.h5")


@pytest.mark.parametrize("back", [0, 57])
def test_directories_of_a_tif_in_a_circle(back, tmp_path):
    rows = [(256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 400)]
    rows += [(277, 3, 1, 1), (278, 4, 1, 10), (279, 4, 1, 100)]
    one = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows)
    step, count = len(one) + 4, 100
    chain = b"".join(one + struct.pack("<I", 8 + step * (i + 1 if i < count - 1 else back)) for i in range(count))
    (tmp_path / "a.tif").write_bytes(struct.pack("<2sHI", b"II", 42, 8) + chain + bytes(600))
    with pytest.raises(ValueError, match="damaged: its directories lead in a circle"):
        read_image(tmp_path / "a.tif")


def test_threads_read_at_once_and_leave_the_interpreter_as_it_was(tmp_path):
    for row, (name, write, _, _) in FORMAT_ROWS.items():
        (tmp_path / row).mkdir()
        write(tmp_path / row / name)
    (tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(200))
    before = (sys.stdout, sys.stderr, list(warnings.filters))
    seen = []

    def work(seed):
        for row in np.random.default_rng(seed).permutation(sorted(FORMAT_ROWS)):
            name, _, part, _ = FORMAT_ROWS[row]
            seen.append(np.array_equal(read_image(f"{tmp_path / row / name}{part}").pixels, PIXELS))
            with pytest.raises(ValueError, match="damaged"):
                read_image(tmp_path / "broken.tif")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 6 * len(FORMAT_ROWS)
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


def test_headers_without_an_end(tmp_path):
    """A header that is longer than any, in a small file or a sparse one, is not read to its end."""
    start = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1)
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(start)
        file.truncate(2**33)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", start + bytes(2**26))
    (tmp_path / "a.sxm").write_bytes(b":NANONIS_VERSION:\n2\n:A:\n" + b"b" * 2**25)
    (tmp_path / "b.sxm").write_bytes(b":NANONIS_VERSION:\n2\n:A:\n" + b"b\n" * 2**20)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    os.truncate(tmp_path / "a.jpg", 2**33)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("/".join("d" * 1000))
    begin = time.process_time()
    for name, words in {
        "a.npy": "its header has 4294967295 bytes",
        "a.npz": "its header has 4294967295 bytes",
        "a.sxm": "its header has no end",
        "b.sxm": "its header has no end",
        "a.jpg": "no image begins in it",
        "a.h5": "groups within groups, more than 32 deep",
    }.items():
        with pytest.raises(ValueError, match=words):
            read_image(tmp_path / name)
    assert time.process_time() - begin < 5


def test_names_in_a_file_are_shown_and_not_acted_on(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["\x1b[2J\nred"], file["other"] = PIXELS, PIXELS
    with pytest.raises(ValueError, match=r"NAME one of \\x1b\[2J red, other") as caught:
        read_image(tmp_path / "a.h5")
    assert str(caught.value).isprintable()


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
