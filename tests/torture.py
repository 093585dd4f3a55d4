"""A corpus of files that a scan may meet: sane, odd, broken and hostile, with what to expect.

``make_corpus(folder)`` writes every file that can be made on this machine and returns its cases.
The same files come out every time. All images are small; what is large is so only by its header,
by its name, by compression or as a sparse file.
"""

from __future__ import annotations

import functools
import io
import os
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

OK, INVALID, EITHER = "ok", "invalid", "either"
"""What to expect of a row. EITHER: the damage may or may not be one that a decoder can see."""

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_LARGE = 60_000
_ORIENTATION = 0x0112

Content = bytes | Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """One file of the corpus.

    Attributes
    ----------
    kind : str
        What is wrong, or odd, about it.
    name : str
        Its name in the folder; bytes that are no UTF-8 as ``os.fsdecode`` gives them.
    content : bytes or callable
        What is written; or a function that makes the file, given its path.
    expected : {"ok", "invalid", "either"}
    why : str
        Why that is to be expected.
    """

    kind: str
    name: str
    content: Content
    expected: str
    why: str


def make_corpus(folder: str | os.PathLike[str]) -> list[Case]:
    """Write the corpus; return the cases that this machine's file system and Pillow allow."""
    root = os.fspath(folder)
    made = []
    for case in corpus():
        path = os.path.join(root, case.name)
        try:
            if callable(case.content):
                case.content(path)
            else:
                Path(path).write_bytes(case.content)
        except (OSError, ValueError, NotImplementedError, AttributeError):
            continue  # no FIFOs here, no such names, no links
        made.append(case)
    return made


def corpus() -> Iterator[Case]:
    """Give all cases, those of a kind one after the other."""
    for kinds in (
        sane,
        truncated,
        flipped,
        damaged_jpegs,
        other_damage,
        odd_but_sane,
        several_frames,
        colours,
        metadata,
        sizes,
        bombs,
        no_images,
        other_programs,
        names,
        not_files,
        large_files,
    ):
        yield from kinds()


# -------------------------------------------------------------------------- made by hand


def picture(height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """Return an RGB image with large and small structure and no symmetry."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 5, columns * 4, rows + 2 * columns], axis=2)
    return ((smooth + rng.integers(0, 60, (height, width, 3))) % 256).astype(np.uint8)


def encode(image: np.ndarray | Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(
    width: int,
    height: int,
    rows: bytes,
    *chunks: tuple[bytes, bytes],
    depth: int = 8,
    colour: int = 2,
    interlaced: bool = False,
) -> bytes:
    """Return a PNG; ``rows`` are the bytes before compression, filter bytes included."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    before = b"".join(png_chunk(kind, data) for kind, data in chunks)
    return (
        PNG_MAGIC
        + png_chunk(b"IHDR", header)
        + before
        + png_chunk(b"IDAT", zlib.compress(rows, 1))
        + png_chunk(b"IEND", b"")
    )


def interlaced_png(pixels: np.ndarray) -> bytes:
    """Return a PNG in the seven passes of Adam7, which Pillow does not write."""
    passes = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4))
    passes += ((2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
    rows = b"".join(
        b"\0" + row.tobytes()
        for top, down, left, right in passes
        for row in pixels[top::down, left::right]
        if row.size
    )
    return png(pixels.shape[1], pixels.shape[0], rows, interlaced=True)


def tiff(entries: dict[int, tuple[int, list[int]]], *, following: int = 0, pixels: bytes) -> bytes:
    """Return a little-endian TIFF of one directory; the strip of pixels follows it at once."""
    at = 8 + 2 + 12 * (len(entries) + 1) + 4
    entries = {**entries, 273: (4, [at])}
    directory = struct.pack("<H", len(entries))
    for tag, (kind, values) in sorted(entries.items()):
        assert len(values) == 1
        directory += struct.pack("<HHII", tag, kind, 1, values[0])
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + pixels


def grey_tiff(width: int, height: int, pixels: bytes, following: int = 0) -> bytes:
    numbers = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height}
    entries = {tag: (4, [value]) for tag, value in numbers.items()}
    return tiff({**entries, 279: (4, [len(pixels)])}, following=following, pixels=pixels)


def bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info


def gif_header(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def psd(pixels: np.ndarray) -> bytes:
    height, width, channels = pixels.shape
    header = struct.pack(">4sH6sHIIHH", b"8BPS", 1, bytes(6), channels, height, width, 8, 3)
    return header + bytes(12) + b"\0\0" + pixels.transpose(2, 0, 1).tobytes()


def lossless_jpeg() -> bytes:
    """Return 8 × 8 pixels of grey 128 in lossless JPEG: every difference is 0, coded by one bit."""
    frame = struct.pack(">BHHB3B", 8, 8, 8, 1, 1, 0x11, 0)
    codes = b"\0" + bytes([1] + [0] * 15) + b"\0"
    scan = bytes([1, 1, 0, 1, 0, 0])
    return b"".join(
        [
            b"\xff\xd8",
            _jpeg_segment(0xC3, frame),
            _jpeg_segment(0xC4, codes),
            _jpeg_segment(0xDA, scan),
            bytes(8),
            b"\xff\xd9",
        ]
    )


def _jpeg_segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """Put a segment behind the start of a JPEG."""
    return data[:2] + _jpeg_segment(marker, content) + data[2:]


def coded_data(data: bytes) -> tuple[int, int]:
    """Return where the coded data of a JPEG of one scan begins and ends."""
    scan = data.rindex(b"\xff\xda")
    return scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big"), len(data) - 2


def overwrite(data: bytes, position: int, what: bytes) -> bytes:
    return data[:position] + what + data[position + len(what) :]


# ---------------------------------------------------------------------------- the cases


@functools.cache
def seeds() -> dict[str, bytes]:
    """Return a sane file of each format and way to store it that Pillow writes here."""
    Image.init()
    plain, grey = Image.fromarray(picture()), Image.fromarray(picture()[..., 0])
    wanted: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "baseline.jpg": (plain, "JPEG", {}),
        "progressive.jpg": (plain, "JPEG", {"progressive": True}),
        "restarts.jpg": (plain, "JPEG", {"restart_marker_rows": 1}),
        "grey.jpg": (grey, "JPEG", {}),
        "plain.png": (plain, "PNG", {}),
        "palette.gif": (plain, "GIF", {}),
        "lossy.webp": (plain, "WEBP", {}),
        "lossless.webp": (plain, "WEBP", {"lossless": True}),
        "plain.bmp": (plain, "BMP", {}),
        "strips.tif": (plain, "TIFF", {}),
        "lzw.tif": (plain, "TIFF", {"compression": "tiff_lzw"}),
        "deflate.tif": (plain, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "packbits.tif": (plain, "TIFF", {"compression": "packbits"}),
        "fax.tif": (plain.convert("1"), "TIFF", {"compression": "group4"}),
        "plain.ppm": (plain, "PPM", {}),
        "plain.jp2": (plain, "JPEG2000", {}),
        "plain.avif": (plain, "AVIF", {}),
        "plain.tga": (plain, "TGA", {}),
        "plain.pcx": (plain, "PCX", {}),
        "plain.sgi": (plain, "SGI", {}),
        "plain.ico": (plain, "ICO", {}),
        "plain.dds": (plain, "DDS", {}),
        "plain.qoi": (plain, "QOI", {}),
    }
    files = {}
    for name, (image, format_name, options) in wanted.items():
        try:
            files[name] = encode(image, format_name, **options)
        except (OSError, KeyError, ValueError):
            continue  # this Pillow does not write it
    files["interlaced.png"] = interlaced_png(picture())
    files["plain.psd"] = psd(picture())
    return files


def sane() -> Iterator[Case]:
    for name, data in seeds().items():
        yield Case("sane", f"sane_{name}", data, OK, "written by Pillow, or after the standard")


def truncated() -> Iterator[Case]:
    why = "rows of pixels, or the end that tells a whole file, are missing"
    for name, data in seeds().items():
        for tenth in range(10):
            cut = data[: len(data) * tenth // 10]
            yield Case("truncated", f"cut_{tenth}0_{name}", cut, INVALID, why)
    for name in ("baseline.jpg", "progressive.jpg", "plain.png", "interlaced.png", "plain.bmp"):
        yield Case("truncated", f"cut_last_{name}", seeds()[name][:-1], INVALID, "one byte short")
    whole = seeds()["baseline.jpg"]
    for name, filled in (("zeros", bytes(len(whole) // 2)), ("ff", b"\xff" * (len(whole) // 2))):
        yield Case(
            "truncated",
            f"cut_and_filled_with_{name}.jpg",
            whole[: len(whole) - len(filled)] + filled,
            INVALID,
            "as a broken download leaves it: no end, and codes of no picture",
        )


# Where every byte of the pixels stands as it is: a changed one gives another image, as sound.
_STORED_AS_THEY_ARE = ("plain.bmp", "strips.tif", "plain.ppm", "plain.tga", "plain.psd")


def flipped() -> Iterator[Case]:
    for name, data in seeds().items():
        rng = np.random.default_rng(len(data))
        for number in range(12):
            in_header = number < 6
            low, high = (0, 40) if in_header else (len(data) // 3, len(data) - 20)
            changed = bytearray(data)
            changed[int(rng.integers(low, high))] ^= int(rng.integers(1, 256))
            part = "header" if in_header else "body"
            expected, why = EITHER, "some fields matter, others do not, and codes have no checksum"
            if not in_header and name.endswith(".png"):
                expected, why = INVALID, "the checksum of the chunk is wrong"
            elif not in_header and name in _STORED_AS_THEY_ARE:
                expected, why = OK, "only the value of a pixel is another"
            yield Case(
                f"bytes flipped in the {part}",
                f"flip_{number:02}_{name}",
                bytes(changed),
                expected,
                why,
            )


def damaged_jpegs() -> Iterator[Case]:
    kind = "damage inside a JPEG"
    standard = {
        "baseline": encode(picture(96, 128), "JPEG"),
        "restarts": encode(picture(96, 128), "JPEG", restart_marker_rows=1),
        "cmyk": encode(Image.fromarray(picture(96, 128)).convert("CMYK"), "JPEG"),
    }
    for name, data in standard.items():
        start, end = coded_data(data)
        middle = (start + end) // 2
        for what, filling, why in (
            ("zeros", bytes(300), "with the usual tables zeros are codes of no picture"),
            ("a marker", b"\xff\x05", "this marker does not occur within codes"),
            ("a frame", b"\xff\xc0", "a frame cannot begin within codes"),
            ("a start", b"\xff\xd8", "a file cannot begin within codes"),
        ):
            yield Case(
                kind,
                f"{name}_with_{what.replace(' ', '_')}.jpg",
                overwrite(data, middle, filling),
                INVALID,
                why,
            )
    progressive = seeds()["progressive.jpg"]
    yield Case(
        kind,
        "progressive_with_a_marker.jpg",
        overwrite(progressive, len(progressive) - 60, b"\xff\x42"),
        INVALID,
        "this marker does not occur within codes",
    )
    restarts = standard["restarts"]
    first, second = restarts.rindex(b"\xff\xd0"), restarts.rindex(b"\xff\xd1")
    for name, data, why in (
        ("missing", restarts[:first] + restarts[first + 2 :], "the first restart is missing"),
        ("repeated", overwrite(restarts, second, b"\xff\xd0"), "the second is numbered 0"),
        ("lost", restarts[:first] + restarts[second:], "a row of blocks is missing"),
    ):
        yield Case(kind, f"restart_{name}.jpg", data, INVALID, f"{why}: their numbers tell")
    baseline = standard["baseline"]
    start, end = coded_data(baseline)
    yield Case(
        kind,
        "restart_undeclared.jpg",
        overwrite(baseline, (start + end) // 2, b"\xff\xd0"),
        INVALID,
        "no restarts are declared",
    )
    yield Case(
        kind,
        "codes_missing.jpg",
        baseline[: start + 500] + baseline[start + 700 :],
        EITHER,
        "libjpeg reads past it and tells nobody: seen only where it leaves a marker",
    )
    yield Case(
        kind,
        "end_too_early.jpg",
        overwrite(baseline, (start + end) // 2, b"\xff\xd9"),
        EITHER,
        "an end is an end: libjpeg fills the rest",
    )


def other_damage() -> Iterator[Case]:
    kind = "other damage"
    sound = png(5, 4, b"".join(b"\0" + bytes(15) for _ in range(4)), (b"tEXt", b"k\0v"))
    for chunk, expected, why in (
        (b"IHDR", INVALID, "the checksum of the header is wrong"),
        (b"IDAT", INVALID, "the checksum of the pixels is wrong"),
        (b"tEXt", EITHER, "a comment is no pixel, but Pillow may refuse it"),
    ):
        at = sound.index(chunk) - 4
        end = at + 12 + int.from_bytes(sound[at : at + 4], "big")
        changed = overwrite(sound, end - 1, bytes([sound[end - 1] ^ 1]))
        yield Case(kind, f"crc_{chunk.decode()}.png", changed, expected, why)
    half = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture()))
    half = half[: len(half) // 2]
    header = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", half), (b"IEND", b"")]
    broken_off = PNG_MAGIC + b"".join(png_chunk(*chunk) for chunk in chunks)
    yield Case(kind, "stream_breaks_off.png", broken_off, INVALID, "half of the rows are missing")
    chunks = [(b"IHDR", header), (b"IEND", b"")]
    no_pixels = PNG_MAGIC + b"".join(png_chunk(*chunk) for chunk in chunks)
    yield Case(kind, "no_pixels.png", no_pixels, INVALID, "no pixels at all")
    yield Case(kind, "no_frame.gif", gif_header(10, 10) + b";", INVALID, "it holds no image")
    yield Case(kind, "only_a_header.gif", gif_header(10, 10), INVALID, "it holds no image")
    loop = grey_tiff(4, 4, bytes(16), following=8)
    why = "only the first page is read, whatever follows it"
    yield Case(kind, "pages_in_a_loop.tif", loop, OK, why)
    yield Case(kind, "next_page_outside.tif", grey_tiff(4, 4, bytes(16), 10**9), OK, why)
    first_outside = b"II*\0" + struct.pack("<I", 10**9)
    yield Case(kind, "first_page_outside.tif", first_outside, INVALID, "there is no page")
    many = struct.pack("<H", 65535) + bytes(12 * 2000)
    yield Case(kind, "many_entries.tif", b"II*\0\x08\0\0\0" + many, INVALID, "no sizes in it")
    for seed in range(6):
        noise = np.random.default_rng(seed).bytes(2000)
        for name, head in (
            ("jpg", b"\xff\xd8\xff\xe0"),
            ("png", PNG_MAGIC),
            ("gif", b"GIF89a"),
            ("webp", b"RIFF\xc8\x07\0\0WEBPVP8 "),
            ("tif", b"II*\0\x08\0\0\0"),
        ):
            why = "noise behind the first bytes of a format"
            expected = EITHER if name == "gif" else INVALID  # GIF has few rules to break
            yield Case(kind, f"noise_{seed}.{name}", head + noise, expected, why)


def odd_but_sane() -> Iterator[Case]:
    kind = "odd but sane"
    data = seeds()
    for name, wrong in (("plain.png", "jpg"), ("baseline.jpg", "png"), ("palette.gif", "tif")):
        why = "what a file is, its first bytes tell"
        yield Case("wrong extension", f"{name.replace('.', '_')}.{wrong}", data[name], OK, why)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo("a.txt"), b"hidden in an image")  # of 1980, not of now
    why = "what follows the end of the image is not looked at"
    for name in ("baseline.jpg", "plain.png"):
        yield Case(kind, f"and_a_zip_{name}", data[name] + archive.getvalue(), OK, why)
    yield Case(kind, "trailing_zeros.jpg", data["baseline.jpg"] + bytes(5000), OK, why)
    sizes = [(16, 16), (32, 32), (48, 48)]
    icon = encode(picture(48, 48), "ICO", sizes=sizes)
    yield Case(kind, "several_sizes.ico", icon, OK, "the largest is read")
    interval = with_segment(data["baseline.jpg"], 0xDD, b"\0\0")
    yield Case(kind, "interval_of_zero.jpg", interval, OK, "which means that there is none")
    flat = np.zeros((200, 300, 3), np.uint8)
    for value in (0, 127, 255):
        for options in ({}, {"optimize": True}, {"progressive": True}):
            name = "_".join(["flat", str(value), *options])
            encoded = encode(flat + np.uint8(value), "JPEG", **options)
            yield Case(kind, f"{name}.jpg", encoded, OK, "a flat image is mostly zeros, rightly")
    yield Case(kind, "lossless.jpg", lossless_jpeg(), EITHER, "libjpeg-turbo 3 reads it")
    twelve_bits = data["baseline.jpg"]
    at = twelve_bits.index(b"\xff\xc0") + 4
    twelve_bits = overwrite(twelve_bits, at, b"\x0c")
    yield Case(kind, "12_bits.jpg", twelve_bits, INVALID, "Pillow reads 8 bits")


def several_frames() -> Iterator[Case]:
    kind = "several frames"
    frames = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    options = {"save_all": True, "append_images": frames[1:]}
    why = "the first frame is read"
    for format_name in ("GIF", "PNG", "WEBP", "TIFF", "MPO"):  # an AVIF would hold the time
        try:
            data = encode(frames[0], format_name, **options)
        except (OSError, KeyError, ValueError):
            continue
        yield Case(kind, f"animated.{format_name.lower()}", data, OK, why)
    pages = [Image.fromarray(picture(10 * n + 10, 64 - 10 * n)) for n in range(4)]
    changing = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield Case(kind, "changing_size.tif", changing, OK, why)
    # A second frame that is larger than the screen and than the first.
    first = encode(frames[0], "GIF")
    second = first[first.index(b",") : -1]
    larger = overwrite(second, 5, struct.pack("<HH", 200, 200))
    yield Case(kind, "changing_size.gif", first[:-1] + larger + b";", OK, why)
    yield Case(
        kind, "cut_behind_the_first.gif", first[:-1] + second[:50], OK, f"{why}: it is whole"
    )
    many = [Image.new("L", (8, 8), value) for value in range(200)]
    data = encode(many[0], "TIFF", save_all=True, append_images=many[1:])
    yield Case(kind, "200_pages.tif", data, OK, why)


def colours() -> Iterator[Case]:
    kind = "colours and depths"
    plain = Image.fromarray(picture())
    wide = picture()[..., 0].astype(np.uint16) * 257
    floats = (picture()[..., 0] / 255).astype(np.float32)
    palette = plain.quantize(16)
    palette.info["transparency"] = bytes(range(0, 256, 16))
    lab = Image.frombytes("LAB", plain.size, picture().tobytes())
    for name, data in {
        "16_bits.png": encode(Image.fromarray(wide), "PNG"),
        "16_bits.tif": encode(Image.fromarray(wide), "TIFF"),
        "16_bits_colour.png": png(2, 1, b"\0" + bytes(range(12)), depth=16),
        "floats.tif": encode(Image.fromarray(floats), "TIFF"),
        "palette_with_alpha.png": encode(palette, "PNG"),
        "alpha.png": encode(plain.convert("RGBA"), "PNG"),
        "alpha.webp": encode(plain.convert("RGBA"), "WEBP"),
        "grey_alpha.png": encode(plain.convert("LA"), "PNG"),
        "cmyk.jpg": encode(plain.convert("CMYK"), "JPEG"),
        "cmyk.tif": encode(plain.convert("CMYK"), "TIFF"),
        "lab.tif": encode(lab, "TIFF"),
        "1_bit.png": encode(plain.convert("1"), "PNG"),
        "1_bit.bmp": encode(plain.convert("1"), "BMP"),
        "ycbcr.jpg": encode(plain.convert("YCbCr"), "JPEG"),
    }.items():
        yield Case(kind, name, data, OK, "the decode policy says what becomes of it")
    bright = encode(Image.fromarray(floats * 300), "TIFF")
    why = "floats must lie in [0, 1], or their black and white are unknown"
    yield Case(kind, "bright_floats.tif", bright, INVALID, why)
    holes = floats.copy()
    holes[3, 3] = np.nan
    yield Case(kind, "floats_with_nan.tif", encode(Image.fromarray(holes), "TIFF"), INVALID, why)
    three = {256: 4, 257: 4, 258: 32, 259: 1, 262: 2, 277: 3, 278: 4, 279: 192, 339: 3}
    entries = {tag: (4 if tag in (256, 257, 278, 279) else 3, [v]) for tag, v in three.items()}
    data = tiff(entries, pixels=bytes(192))
    yield Case(kind, "float_colour.tif", data, INVALID, "Pillow has no mode for it")


def metadata() -> Iterator[Case]:
    kind = "metadata"
    plain, jpeg = Image.fromarray(picture()), seeds()["baseline.jpg"]
    for number in (0, 1, 3, 6, 9, 65535):
        exif = Image.Exif()
        exif[_ORIENTATION] = number
        why = "turned as it says; a number without a meaning is none"
        for format_name in ("JPEG", "PNG", "TIFF", "WEBP"):
            data = encode(plain, format_name, exif=exif.tobytes())
            yield Case(kind, f"orientation_{number}.{format_name.lower()}", data, OK, why)
    why = "a corrupt block says nothing about the pixels"
    for number, block in enumerate(
        [
            b"Exif\0\0garbage",
            b"Exif\0\0II*\0",
            b"Exif\0\0II*\0\xff\xff\xff\xff",
            b"Exif\0\0II*\0\x08\0\0\0" + b"\xff" * 500,
            b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03",
            # A directory that follows itself, and one whose value lies outside.
            b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0",
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\xf0\xff\0\0\0\0\0\0",
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\0\0\0\0",
            b"Exif\0\0",
        ]
    ):
        data = with_segment(jpeg, 0xE1, block)
        yield Case(kind, f"corrupt_exif_{number}.jpg", data, OK, why)
        chunk = (b"eXIf", block.removeprefix(b"Exif\0\0") or b"\0")
        rows = b"".join(b"\0" + row.tobytes() for row in picture())
        yield Case(kind, f"corrupt_exif_{number}.png", png(64, 48, rows, chunk), OK, why)
    garbage = np.random.default_rng(0).bytes(3000)
    for format_name in ("JPEG", "PNG", "TIFF", "WEBP"):
        data = encode(plain, format_name, icc_profile=garbage)
        why = "colour profiles are not applied"
        yield Case(kind, f"icc_garbage.{format_name.lower()}", data, OK, why)
    rows = b"".join(b"\0" + row.tobytes() for row in picture())
    broken = png(64, 48, rows, (b"iCCP", b"name\0\0" + garbage))
    yield Case(kind, "icc_not_compressed.png", broken, OK, "colour profiles are not applied")
    orientation = b'<x:xmpmeta tiff:Orientation="&#54;"/>' * 1000
    xmp = with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + orientation)
    yield Case(kind, "long_xmp.jpg", xmp, OK, "an entity is no number")
    comments = jpeg
    for _ in range(200):
        comments = with_segment(comments, 0xFE, bytes(1000))
    yield Case(kind, "many_comments.jpg", comments, OK, "comments are passed over")
    hostile = with_segment(jpeg, 0xFE, b"<script>alert(1)</script>\0\xff\xfe")
    yield Case(kind, "comment_with_a_script.jpg", hostile, OK, "comments are passed over")


def sizes() -> Iterator[Case]:
    kind = "tiny and thin"
    for height, width in ((1, 1), (1, _LARGE), (_LARGE, 1), (2, 1)):
        pixels = np.full((height, width, 3), 100, np.uint8)
        for format_name in ("PNG", "BMP", "TIFF", "GIF", "JPEG"):
            name = f"{width}x{height}.{format_name.lower()}"
            yield Case(kind, name, encode(pixels, format_name), OK, "an image of that size")
    for name, data in {
        "0x0.png": png(0, 0, b""),
        "0x10.bmp": bmp_header(0, 10),
        "0x0.gif": gif_header(0, 0) + b";",
        "0x10.tif": grey_tiff(0, 10, b""),
        "0x0.ppm": b"P6 0 0 255\n",
    }.items():
        yield Case(kind, name, data, INVALID, "no pixels")


def bombs() -> Iterator[Case]:
    kind = "bombs"
    why = "3,600,000,000 pixels are refused by the header, before memory is taken"
    jpeg = seeds()["baseline.jpg"]
    at = jpeg.index(b"\xff\xc0") + 5
    canvas = struct.pack("<I", _LARGE - 1)[:3] * 2
    webp = b"WEBPVP8X" + struct.pack("<II", 10, 0) + canvas
    j2k = seeds().get("plain.jp2")
    for name, data in {
        "60000.png": png(_LARGE, _LARGE, bytes(1000)),
        "60000.gif": gif_header(_LARGE, _LARGE) + b",\0\0\0\0" + b"\x60\xea" * 2 + b"\0\2\0;",
        "60000.tif": grey_tiff(_LARGE, _LARGE, bytes(1000)),
        "60000.bmp": bmp_header(_LARGE, _LARGE) + bytes(1000),
        "60000.jpg": overwrite(jpeg, at, struct.pack(">HH", _LARGE, _LARGE)),
        "60000.webp": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "60000.ppm": b"P6 60000 60000 255\n" + bytes(1000),
        "60000.pam": b"P7\nWIDTH 60000\nHEIGHT 60000\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(99),
        "60000.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n" + bytes(99),
        "60000.qoi": b"qoif" + struct.pack(">IIBB", _LARGE, _LARGE, 3, 0) + bytes(99),
    }.items():
        yield Case(kind, name, data, INVALID, why)
    if j2k is not None:
        header = j2k.index(b"ihdr") + 4
        siz = j2k.index(b"\xff\x51") + 6
        data = overwrite(j2k, header, struct.pack(">II", _LARGE, _LARGE))
        yield Case(
            kind,
            "60000.jp2",
            overwrite(data, siz, struct.pack(">II", _LARGE, _LARGE)),
            INVALID,
            why,
        )
    why = "few enough pixels to be decoded, but the data for them is missing"
    yield Case(kind, "13000.png", png(13_000, 13_000, bytes(1000)), INVALID, why)
    yield Case(kind, "13000.bmp", bmp_header(13_000, 13_000) + bytes(1000), INVALID, why)
    zeros = zlib.compress(bytes(50_000_000), 1)
    rows = b"".join(b"\0" + row.tobytes() for row in picture())
    why = "Pillow refuses to unpack a text of 50 MB"
    for name, chunk in {
        "zTXt": (b"zTXt", b"comment\0\0" + zeros),
        "iTXt": (b"iTXt", b"comment\0\1\0\0\0" + zeros),
        "iCCP": (b"iCCP", b"profile\0\0" + zeros),
    }.items():
        yield Case(kind, f"{name}.png", png(64, 48, rows, chunk), INVALID, why)
    why = "what is more than the rows need is not unpacked"
    yield Case(kind, "IDAT.png", png(64, 48, rows + bytes(50_000_000)), EITHER, why)
    strip = zeros
    numbers = {256: 64, 257: 48, 258: 8, 259: 8, 262: 1, 277: 1, 278: 48, 279: len(strip)}
    data = tiff({tag: (4, [value]) for tag, value in numbers.items()}, pixels=strip)
    yield Case(kind, "deflate.tif", data, EITHER, why)


def no_images() -> Iterator[Case]:
    kind = "no image"
    page = b"<!DOCTYPE html>\n<html><body><h1>404 Not Found</h1></body></html>"
    for name, data in {
        "empty.jpg": b"",
        "one_byte.jpg": b"\xff",
        "text.jpg": b"this is no image, whatever it is called\n",
        "error_page.jpg": page,
        "error.json.jpg": b'{"error": "rate limit exceeded"}',
        "pointer.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
        "drawing.svg.png": b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>',
        "document.pdf.jpg": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "shadow_of_macos.jpg": b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(100),
        "Thumbs.db.jpg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
        "archive.jpg": b"PK\x03\x04" + bytes(100),
        "zeros.jpg": bytes(10_000),
        "noise.jpg": np.random.default_rng(0).bytes(10_000),
        "movie.mp4.jpg": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100),
        "heic_without_an_image.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    }.items():
        yield Case(kind, name, data, INVALID, "not one of the formats, whatever it is called")


def other_programs() -> Iterator[Case]:
    kind = "for other programs"
    why = "to read it, Pillow would start another program, or only on some systems can"
    wmf = b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<hhhhH", 0, 0, 100, 100, 72) + bytes(100)
    emf = struct.pack("<IIiiiiiiii", 1, 88, 0, 0, 99, 99, 0, 0, 99, 99) + b" EMF" + bytes(60)
    for name, data in {
        "drawing.eps.jpg": encode(picture(), "EPS"),
        "postscript.ps.jpg": b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (r) file\n",
        "drawing.wmf.jpg": wmf,
        "drawing.emf.jpg": emf,
    }.items():
        yield Case(kind, name, data, INVALID, why)


def names() -> Iterator[Case]:
    data = seeds()["plain.png"]
    for name in (
        b"new\nline.png",
        b"carriage\rreturn.png",
        "😀 ü.png".encode(),
        "\u202egnp.exe.png".encode(),
        "e\u0301.png".encode(),
        b"\xff\xfe invalid.png",
        b"<script>alert(1)<script>.png",
        b"a'b\"c.png",
        b"a,b;c\td.png",
        b"=cmd|'!A0.png",
        b"-rf.png",
        b"--help.png",
        b"trailing space.png ",
        b" leading space.png",
        b"%00%2e%2e.png",
        b"a\\b.png",
        b"$(id).png",
        b"C:.png",
        b"n" * 246 + b".png",
    ):
        why = "any name that the file system takes is a name"
        yield Case("strange names", os.fsdecode(name), data, OK, why)


def _folder(path: str) -> None:
    os.mkdir(path)


def _fifo(path: str) -> None:
    os.mkfifo(path)


def _socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)


def _link_to(target: str) -> Callable[[str], None]:
    def make(path: str) -> None:
        if os.path.isabs(target) and not os.path.exists(target):
            raise NotImplementedError(target)
        os.symlink(target, path)

    return make


def _without_permission(path: str) -> None:
    Path(path).write_bytes(seeds()["plain.png"])
    os.chmod(path, 0)
    try:
        Path(path).read_bytes()
    except PermissionError:
        return
    os.remove(path)  # whoever makes this may read everything
    raise NotImplementedError("no permissions for this user")


def not_files() -> Iterator[Case]:
    kind = "no regular file"
    for name, make, why in (
        ("folder.jpg", _folder, "a folder"),
        ("pipe.jpg", _fifo, "to open a FIFO would wait for a writer"),
        ("socket.jpg", _socket, "a socket is no file"),
        ("zeros_for_ever.jpg", _link_to("/dev/zero"), "a device without an end"),
        ("random_for_ever.jpg", _link_to("/dev/urandom"), "a device without an end"),
        ("terminal.jpg", _link_to("/dev/tty"), "a device that waits for a key"),
        ("kernel_messages.jpg", _link_to("/proc/kmsg"), "its size is 0, and to read it would wait"),
        ("memory.jpg", _link_to("/proc/self/mem"), "its size is 0"),
        ("dangling.jpg", _link_to("nothing.jpg"), "there is no such file"),
        ("loop.jpg", _link_to("loop.jpg"), "a link to itself"),
        ("link_to_folder.jpg", _link_to("folder.jpg"), "a folder"),
        ("forbidden.jpg", _without_permission, "nobody may read it"),
    ):
        yield Case(kind, name, make, INVALID, why)
    yield Case(kind, "link.jpg", _link_to("sane_plain.png"), OK, "links to files are followed")


def _sparse(size: int, head: bytes) -> Callable[[str], None]:
    def make(path: str) -> None:
        with open(path, "wb") as file:
            file.write(head)
            file.truncate(size)
        if os.stat(path).st_blocks * 512 > size // 2:  # no holes here: not to fill the disk
            os.remove(path)
            raise NotImplementedError("no sparse files")

    return make


def large_files() -> Iterator[Case]:
    kind = "large files"
    for name, head in (("zeros.jpg", b""), ("image.png", seeds()["plain.png"])):
        why = "100 GB of holes, refused by its size"
        yield Case(kind, f"100GB_{name}", _sparse(10**11, head), INVALID, why)
