"""Each format gives back what was written, with its pixel size; each damaged file one sentence."""

import pickle
import struct

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from equisym.data.readers import read_image

PIXELS = np.random.default_rng(0).integers(0, 200, (40, 50)).astype(np.uint16)


def dm_tag(name, types, payload):
    body = struct.pack(">4sQ", b"%%%%", len(types)) + struct.pack(f">{len(types)}Q", *types) + payload
    return struct.pack(">BH", 21, len(name)) + name + struct.pack(">Q", len(body)) + body


def dm_group(name, tags):
    body = struct.pack(">BBQ", 1, 0, len(tags)) + b"".join(tags)
    return struct.pack(">BH", 20, len(name)) + name + struct.pack(">Q", len(body)) + body


def write_dm4(path):
    """The least of a DM4 file: one image with its scale."""

    def number(name, value):
        return dm_tag(name, [5], struct.pack("<I", value))

    def real(name, value):
        return dm_tag(name, [6], struct.pack("<f", value))

    unit = dm_tag(b"Units", [20, 4, 2], "nm".encode("utf-16-le"))
    axis = dm_group(b"", [real(b"Origin", 0.0), real(b"Scale", 0.02), unit])
    calibrations = dm_group(b"Calibrations", [dm_group(b"Dimension", [axis, axis])])
    array = dm_tag(b"Data", [20, 4, PIXELS.size], PIXELS.astype("<u2").tobytes())
    sizes = dm_group(b"Dimensions", [number(b"", PIXELS.shape[1]), number(b"", PIXELS.shape[0])])
    image = dm_group(b"ImageData", [calibrations, array, number(b"DataType", 10), sizes, number(b"PixelDepth", 2)])
    root = struct.pack(">BBQ", 1, 0, 1) + dm_group(b"ImageList", [dm_group(b"", [image])])
    path.write_bytes(struct.pack(">IQI", 4, len(root), 1) + root + bytes(8))


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("scan/image", data=PIXELS).attrs.update(pixel_size=20.0, pixel_unit="pm")


def write_mrc(path):
    from ncempy.io.mrc import mrcWriter

    mrcWriter(path, PIXELS[None].astype(np.float32), (0.2, 0.2, 0.2))


def write_emd(path):
    from ncempy.io.emd import emdWriter

    emdWriter(path, PIXELS, pixel_size=(0.02, 0.02), pixel_unit=("nm", "nm"))


WRITERS = {
    "png": (lambda p: Image.fromarray(PIXELS).save(p), None),
    "tif": (lambda p: tifffile.imwrite(p, PIXELS, imagej=True, resolution=(50, 50), metadata={"unit": "nm"}), 0.02),
    "npy": (lambda p: np.save(p, PIXELS), None),
    "npz": (lambda p: np.savez(p, image=PIXELS, pixel_size=0.02), 0.02),
    "h5": (write_hdf5, 0.02),
    "dm4": (write_dm4, 0.02),
    "mrc": (write_mrc, 0.02),
    "emd": (write_emd, 0.02),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_pixels_and_their_size_come_back(kind, tmp_path):
    write, size = WRITERS[kind]
    write(tmp_path / f"a.{kind}")
    image = read_image(tmp_path / f"a.{kind}")
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert image.pixel_size == (None if size is None else pytest.approx(size, rel=1e-5))


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("left", [0.0, 0.1, 0.6])
def test_a_truncated_file_is_one_sentence(kind, left, tmp_path):
    path = tmp_path / f"a.{kind}"
    WRITERS[kind][0](path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole))])
    with pytest.raises(ValueError, match="damaged|empty") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int32"])
def test_depths_of_tif(dtype, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS.astype(dtype))
    image = read_image(tmp_path / "a.tif")
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.pixels, PIXELS)


def test_a_pickle_is_never_loaded(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([Trap()], object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    for name, words in (("a.npy", "pickle"), ("b.npy", "not npy")):
        with pytest.raises(ValueError, match=words):
            read_image(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_a_program_named_png(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x7fELF" + bytes(400))
    with pytest.raises(ValueError, match="not png"):
        read_image(tmp_path / "a.png")


def test_a_choice_must_be_made(tmp_path):
    np.savez(tmp_path / "a.npz", first=PIXELS, second=PIXELS + 1)
    with pytest.raises(ValueError, match="FILE#NAME, NAME one of first, second"):
        read_image(tmp_path / "a.npz")
    assert read_image(f"{tmp_path}/a.npz#second").pixels[0, 0] == PIXELS[0, 0] + 1
    np.save(tmp_path / "b.npy", np.stack([PIXELS, PIXELS + 1]))
    with pytest.raises(ValueError, match="stack of 2"):
        read_image(tmp_path / "b.npy")
    assert read_image(f"{tmp_path}/b.npy#1").pixels[0, 0] == PIXELS[0, 0] + 1


def test_what_is_no_image_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "none.png")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(ValueError, match="images end in"):
        read_image(tmp_path / "a.doc")
