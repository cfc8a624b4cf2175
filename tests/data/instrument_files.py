"""Files as instruments and common programs write them, by libraries that share nothing with the readers.

Where no library writes a format, its published layout is put down field by field.
"""

import json
import struct

import h5py
import mrcfile
import numpy as np
import tifffile
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 200, (40, 50)).astype(np.uint16)
MORE = PIXELS + 1
TALL = (0.04, 0.02)  # nanometres, y and x


def png(path):
    Image.fromarray(PIXELS).save(path)


def bmp(path):
    Image.fromarray(PIXELS.astype(np.uint8)).save(path)


def jpg(path):
    Image.fromarray(PIXELS.astype(np.uint8)).save(path, quality=100)


def jpeg_tif(path):
    tifffile.imwrite(path, PIXELS.astype(np.uint8), compression="jpeg", compressionargs={"level": 100})


def npz(path):
    np.savez(path, image=PIXELS, pixel_size=np.array(TALL))


def npy(path):
    np.save(path, PIXELS)


def plain_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("scan/image", data=PIXELS).attrs.update(pixel_size=(40.0, 20.0), pixel_unit="pm")


def hyperspy(path):
    """HyperSpy's layout: a group for each axis, navigation axes first."""
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/HAADF")
        group["data"] = np.stack((PIXELS, MORE, PIXELS))
        rows = (("time", 1.0, "s", True), ("y", 0.04, "nm", False), ("x", 0.2, "Å", False))
        for i, (name, scale, units, navigate) in enumerate(rows):
            group.create_group(f"axis-{i}").attrs.update(name=name, scale=scale, units=units, navigate=navigate)


def velox(path, detectors=("HAADF", "BF"), frames=3):
    """Velox: (H, W, frames) on disc, and metadata of each image as JSON."""
    with h5py.File(path, "w") as file:
        for i, name in enumerate(detectors):
            group = file.create_group(f"Data/Image/{i:032x}")
            group["Data"] = np.stack([PIXELS + 10 * i + k for k in range(frames)], -1)
            size = {"height": "4e-11", "width": "2e-11"}
            about = {"BinaryResult": {"Detector": name, "PixelSize": size, "PixelUnitX": "m", "PixelUnitY": "m"}}
            text = np.zeros((60000, frames), np.uint8)
            text[: len(json.dumps(about))] = np.frombuffer(json.dumps(about).encode(), np.uint8)[:, None]
            group["Metadata"] = text


def hyperspy_signal(path, data, *navigate):
    """One experiment of HyperSpy; whether each axis navigates."""
    with h5py.File(path, "w") as file:
        group = file.create_group("Experiments/signal")
        group["data"] = data
        for i, yes in enumerate(navigate):
            group.create_group(f"axis-{i}").attrs.update(scale=0.5, units="nm", navigate=yes)


def berkeley_named(path):
    """Axes x, y and time in this order, as their names say."""
    with h5py.File(path, "w") as file:
        group = file.create_group("data/scan")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.stack((PIXELS.T, MORE.T, PIXELS.T), -1)
        rows = (("x", [0, 0.02], "[n_m]"), ("y", [0, 0.04], "[n_m]"), ("time", [0, 1], "[s]"))
        for i, (name, values, units) in enumerate(rows):
            group[f"dim{i + 1}"] = values
            group[f"dim{i + 1}"].attrs.update(name=name, units=units)


def berkeley_frames(path):
    """The last axis counts frames, which its unit says."""
    with h5py.File(path, "w") as file:
        group = file.create_group("data/scan")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.stack((PIXELS, MORE, PIXELS), -1)
        for i, (step, units) in enumerate(((0.04, "[n_m]"), (0.02, "[n_m]"), (1, "[s]"))):
            group[f"dim{i + 1}"] = [0, step]
            group[f"dim{i + 1}"].attrs.update(units=units)


def berkeley(path):
    from ncempy.io.emd import emdWriter

    emdWriter(path, PIXELS, pixel_size=TALL, pixel_unit=("n_m", "n_m"))


def mrc(path):
    with mrcfile.new(path) as file:
        file.set_data(np.stack((PIXELS, MORE)).astype(np.float32))
        file.voxel_size = (0.2, 0.4, 1.0)


def mrc_extended(path):
    with mrcfile.new(path) as file:
        file.set_data(PIXELS)
        file.set_extended_header(np.zeros(640, "V1"))
        file.voxel_size = (0.2, 0.4, 1.0)


def imagej(path):
    scale = {"resolution": (50, 25), "metadata": {"unit": "nm"}}
    tifffile.imwrite(path, PIXELS, imagej=True, **scale)


def imagej_hyperstack(path):
    stack = np.arange(2 * 3 * 2)[:, None, None].astype(np.uint16) + PIXELS
    about = {"axes": "TZCYX", "unit": "um"}
    shaped = stack.reshape(2, 3, 2, *PIXELS.shape)
    tifffile.imwrite(path, shaped, imagej=True, metadata=about, resolution=(5e4, 2.5e4))


def ome(path):
    about = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeXUnit": "Å", "PhysicalSizeY": 0.04}
    tifffile.imwrite(path, np.stack((PIXELS, MORE)), ome=True, metadata=about | {"PhysicalSizeYUnit": "nm"})


def _tagged(path, *tags, **options):
    tifffile.imwrite(
        path,
        PIXELS,
        extratags=[
            (code, kind, len(value) if isinstance(value, tuple) else 0, value, True) for code, kind, value in tags
        ],
        **options,
    )


def fei(path):
    text = "[User]\r\nUser=me\r\n[Scan]\r\nPixelWidth=2e-11\r\nPixelHeight=4e-11\r\n"
    _tagged(path, (34682, 2, text))


def zeiss(path):
    _tagged(path, (34118, 2, "\r\n0\r\nAP_PIXEL_SIZE\r\nPixel Size = 7 nm\r\nAP_WIDTH\r\nWidth = 1.00 nm\r\n"))


def digital_micrograph_tif(path):
    _tagged(path, (65003, 2, "nm"), (65004, 2, "A"), (65009, 12, (0.02,)), (65010, 12, (0.4,)))


def tvips(path):
    fields = dict.fromkeys(["PixelSizeX", "PixelSizeY"], 0.02) | {"PixelSizeY": 0.04, "Magic": 0xAAAAAAAA}
    head = np.zeros((), [(n, "<" + t if t[0] in "ifc" else t) for n, t in tifffile.TIFF.TVIPS_HEADER_V1])
    head["Version"] = 2
    body = np.zeros((), [(n, t if t[0] == "V" else "<" + t) for n, t in tifffile.TIFF.TVIPS_HEADER_V2])
    for name, value in fields.items():
        body[name] = value
    _tagged(path, (37706, 1, head.tobytes() + body.tobytes()), byteorder="<")


def olympus(path):
    """Two pages of different kinds; the calibration lies behind the second page's tag."""
    with tifffile.TiffWriter(path, byteorder="<") as tif:
        tif.write(np.zeros((40, 50, 3), np.uint8), photometric="rgb")
        head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 0, 12, 1, 0, 126, b"", 1)
        tif.write(
            PIXELS, metadata=None, extratags=[(33560, 1, 0, head + struct.pack("<hhI", 1, 1, 0) + bytes(200), True)]
        )
    whole = bytearray(path.read_bytes())
    place = whole.index(b"SIS0")
    struct.pack_into("<I", whole, place + 64, place + 68)
    struct.pack_into("<10xhdd8xd", whole, place + 68, -9, 0.02, 0.04, 1e6)
    path.write_bytes(bytes(whole))


def palette(path):
    colours = np.random.default_rng(1).integers(0, 65535, (3, 256)).astype(np.uint16)
    tifffile.imwrite(path, PIXELS.astype(np.uint8), photometric="palette", colormap=colours)


def compressed(codec):
    return lambda path: tifffile.imwrite(path, PIXELS, compression=codec, rowsperstrip=8)


def dm(path, version, pixels, kind, scales):
    """The least of a DM file: a thumbnail, and an image with its scale, x first.

    Version 3 has lengths of 4 bytes; version 4 has 8, and the length of each entry.
    """
    n = "Q" if version == 4 else "I"

    def entry(kind, name, body):
        length = struct.pack(">Q", len(body)) if version == 4 else b""
        return struct.pack(">BH", kind, len(name)) + name + length + body

    def dm_tag(name, types, payload):
        return entry(21, name, struct.pack(f">4s{n}{len(types)}{n}", b"%%%%", len(types), *types) + payload)

    def dm_group(name, tags):
        return entry(20, name, struct.pack(f">BB{n}", 1, 0, len(tags)) + b"".join(tags))

    def number(name, value):
        return dm_tag(name, [5], struct.pack("<I", value))

    def image(array, kind, scales):
        axes = []
        for scale, unit in scales:
            text = unit.encode("utf-16-le")
            units = dm_tag(b"Units", [20, 4, len(unit)], text)
            axes.append(dm_group(b"", [dm_tag(b"Scale", [6], struct.pack("<f", scale)), units]))
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        sizes = dm_group(b"Dimensions", [number(b"", n) for n in array.shape[::-1]])
        calibrations = dm_group(b"Calibrations", [dm_group(b"Dimension", axes)])
        data = dm_tag(b"Data", [20, 9, len(raw)], raw)
        return dm_group(b"", [dm_group(b"ImageData", [calibrations, data, number(b"DataType", kind), sizes])])

    small = image(np.zeros((8, 8), np.uint8), 6, ())
    thumbnails = dm_group(b"Thumbnails", [dm_group(b"", [number(b"ImageIndex", 0)])])
    tags = [dm_group(b"ImageList", [small, image(pixels, kind, scales)]), thumbnails]
    root = struct.pack(f">BB{n}", 1, 0, len(tags)) + b"".join(tags)
    path.write_bytes(struct.pack(f">I{n}I", version, len(root), 1) + root + bytes(8))


def dm4(path, pixels=PIXELS, kind=10, scales=((0.02, "nm"), (0.4, "Å"))):
    dm(path, 4, pixels, kind, scales)


def dm3(path):
    dm(path, 3, PIXELS, 10, ((0.02, "nm"), (0.4, "Å")))


def dm4_complex(path):
    dm4(path, PIXELS.astype(np.complex64), 3)


def dm4_stack(path):
    dm4(path, np.stack((PIXELS, MORE)))


def tia(path):
    """Two images in metres, their first line at the bottom."""
    offsets = [100, 100 + 50 + PIXELS.nbytes]
    head = struct.pack("<2sHH4iqi", b"II", 0x0197, 0x0220, 0x4122, 0x4152, 2, 2, 40, 0)
    body = bytearray(head.ljust(40, b"\0") + struct.pack("<2q", *offsets) + struct.pack("<2q", 0, 0)).ljust(100, b"\0")
    for pixels in (PIXELS, MORE):
        body += struct.pack("<2di2di", 0, 2e-11, 0, 0, 4e-11, 0) + struct.pack("<hii", 2, 50, 40)
        body += pixels[::-1].astype("<u2").tobytes()
    path.write_bytes(bytes(body))


def nanonis(path, direction="up"):
    lines = [
        (":NANONIS_VERSION:", "2"),
        (":SCANIT_TYPE:", "              FLOAT            MSBFIRST"),
        (":SCAN_PIXELS:", "       50       40"),
        (":SCAN_RANGE:", "           1.000000E-9           1.600000E-9"),
        (":SCAN_DIR:", direction),
        (":DATA_INFO:", "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n\t14\tZ\tm\tboth\t1E-8\t0\n"),
        (":SCANIT_END:", "\n"),
    ]
    text = "".join(f"{key}\n{value}\n" for key, value in lines).encode() + b"\x1a\x04"
    seen = PIXELS[::-1] if direction == "up" else PIXELS
    path.write_bytes(text + seen.astype(">f4").tobytes() + (seen + 1)[:, ::-1].astype(">f4").tobytes())


def gwyddion(path):
    from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit

    field = GwyDataField(PIXELS.astype(float), xreal=1e-9, yreal=1.6e-9, si_unit_xy=GwySIUnit(unitstr="m"))
    GwyContainer({"/0/data/title": "Topography", "/0/data": field}).tofile(str(path))


def igor(path):
    from igorwriter import IgorWave

    layers = np.stack((PIXELS[::-1].T, MORE[::-1].T), -1).astype(np.float32)
    wave = IgorWave(layers, name="scan")
    wave.set_dimscale("x", 0, 2e-11, "m")
    wave.set_dimscale("y", 0, 4e-11, "m")
    for i, name in enumerate(("HeightRetrace", "AmplitudeRetrace")):
        wave.set_dimlabel(2, i, name)
    wave.save(str(path))


def rhk(path):
    """One topographic page, upside down as a positive y scale says."""
    raw = PIXELS[::-1].astype("<i4").tobytes()
    label = "Topography".encode("utf-16-le")
    header = struct.pack("<HH3I2I", 170, 1, 1, 0, 0, 0, 0) + struct.pack("<6I", 50, 40, 0, 0, 0, len(raw))
    header += struct.pack("<2I2f", 0, 0, 2e-11, 4e-11) + bytes(4 * 9) + struct.pack("<4I", 0, 0, 0, 1) + bytes(64)
    index, page, strings, pixels = 100, 200, 500, 600
    body = bytearray(struct.pack("<H", 56) + "STiMage 005.006 1".encode("utf-16-le").ljust(36, b"\0"))
    body += struct.pack("<5I", 1, 1, 12, 0, 0) + struct.pack("<3I", 1, index, 16)
    body = body.ljust(index, b"\0") + struct.pack("<4I", 1, 1, 0, 0) + struct.pack("<3I", 2, 140, 48)
    body = body.ljust(140, b"\0") + bytes(16) + struct.pack("<4I", 0, 0, 2, 6)
    body += struct.pack("<6I", 3, page, len(header), 4, pixels, len(raw))
    body = body.ljust(page, b"\0") + header + struct.pack("<3I", 10, strings, 30)
    body = body.ljust(strings, b"\0") + struct.pack("<H", len(label) // 2) + label
    path.write_bytes(bytes(body.ljust(pixels, b"\0") + raw))


def blockfile(path):
    head = struct.pack("<6sH3I5H2d", b"IMGBLO", 0x0102, 0x1000, 0x1800, 0, 4, 0, 50, 40, 0, 0.02, 0.04)
    patterns = np.arange(40 * 50, dtype=np.uint32).view(np.uint8).reshape(40, 50, 4)
    records = np.concatenate((np.zeros((40, 50, 6), np.uint8), np.tile(patterns, 4)), -1)
    body = head.ljust(0x1000, b"\0") + PIXELS.astype(np.uint8).tobytes()
    path.write_bytes(body.ljust(0x1800, b"\0") + records.tobytes())
