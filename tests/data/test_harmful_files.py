"""A damaged or hostile file is one sentence, in bounded time and memory; nothing else is opened, nothing is run."""

import os
import pickle
import struct
import time
import zipfile
import zlib

import h5py
import instrument_files as files
import numpy as np
import pytest
import tifffile
from instrument_files import PIXELS
from PIL import Image
from reader_cases import FORMAT_CASES

from equisym.data.readers import read_image


@pytest.mark.parametrize("row", [row for row in FORMAT_CASES if row != "blockfile"])
@pytest.mark.parametrize("left", [0.0, 0.1, 0.45])
def test_a_truncated_file_is_one_sentence(row, left, tmp_path):
    name, write, part, _ = FORMAT_CASES[row]
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
    name, write, part, _ = FORMAT_CASES[row]
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
