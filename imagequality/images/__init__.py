"""Folder → paths, and any reference to an image → one RGB uint8 array.

The decode policy, in one place
-------------------------------
Every image is measured as an ``(h, w, 3)`` uint8 RGB array. It is made so:

===============================  ==============================================================
what comes in                    what becomes of it
===============================  ==============================================================
EXIF orientation                 applied; a corrupt EXIF block is ignored
alpha (RGBA, LA, palette, tRNS)  composited over white; over black what would vanish on white
CMYK, YCbCr, Lab, HSV            converted by Pillow, without a colour profile
palette, 1 bit                   looked up; 0 and 1 become 0 and 255
16-bit grey, uint16 arrays       divided by 257 and rounded (full scale 65535)
16-bit colour files              the high byte, as Pillow reads them
float files and arrays           must lie in [0, 1]; times 255 and rounded
bool arrays                      0 and 255
other integer arrays             must lie in [0, 255]
masked arrays                    refused if a value is masked
32-bit integer files             must lie in [0, 65535]; treated as 16 bit
animations, multi-page files     the first frame (a PIL image: the frame it stands at)
more than ``MAX_PIXELS`` pixels  refused, before anything is decoded
files of more than 1 GiB         refused, before anything is read
===============================  ==============================================================

A file that is truncated or corrupt is refused, also where a decoder could fill in the rest, and
whatever ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES`` says: while images are read, it and
``PIL.Image.MAX_IMAGE_PIXELS`` have the library's values, for all threads of the process.
Damage inside a JPEG that libjpeg reads past is seen where it leaves a marker that does not belong,
restart markers out of order, or a run of zeros that are codes of no picture: most of what was
overwritten, little of what is missing, and hardly a flipped bit. Frames and pages behind the first,
and what follows the end of an image, are not looked at.
libjpeg and libtiff may write lines about broken files to the standard error output; to redirect
that would take the output of all other threads away too, so it is left to the program.
EPS, WMF and the formats that Pillow only recognises are refused: reading them would run
another program. HEIC needs the extra ``imagequality[heif]``.
"""

from ._archives import ArchiveMember
from ._decode import (
    MAX_PIXELS,
    DecodedImage,
    RGBArray,
    load_image,
    quiet_decoders,
    read_image,
    read_quietened_image,
)
from ._errors import UnreadableImageError
from ._folders import list_images
from ._references import as_references, as_stream, names_of
from ._streams import stream_images
from ._unreadable import UnreadableItem

__all__ = [
    "MAX_PIXELS",
    "ArchiveMember",
    "DecodedImage",
    "RGBArray",
    "UnreadableImageError",
    "UnreadableItem",
    "as_references",
    "as_stream",
    "list_images",
    "load_image",
    "names_of",
    "quiet_decoders",
    "read_image",
    "read_quietened_image",
    "stream_images",
]
