"""One case for each format: file name, what writes it, which image of it is ``PIXELS``, and the size of a pixel."""

import instrument_files as files
from instrument_files import TALL

# file name, writer, selector of PIXELS, pixel size (y, x) in nm
FORMAT_CASES = {
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
