"""Read image files of microscopes and other instruments, and common picture files, with their pixel sizes."""

from equisym.data.readers.formats import FORMATS, SUFFIXES, foreign_suffixes, is_image_name
from equisym.data.readers.image_file import ImageFile, list_images, read_image
from equisym.data.readers.signal import MAX_BYTES, Signal

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "SUFFIXES",
    "ImageFile",
    "Signal",
    "foreign_suffixes",
    "is_image_name",
    "list_images",
    "read_image",
]
