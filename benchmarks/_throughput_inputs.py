"""The files that throughput.py reads.

    python _throughput_inputs.py PHOTOGRAPHS.json FOLDER COUNT

makes 12-megapixel JPEGs of photographs, in a process of its own: who watches memory should load
no image library.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT, ACROSS = 4000, 3000, 8  # so each photograph of a mosaic has 500×375 pixels
QUALITY = 90
EXTENSIONS = {".jpg", ".jpeg", ".png"}


def files_below(folder: Path) -> list[str]:
    """All image files of a folder, sorted."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS)
    return sorted(map(str, found))


def as_many(files: Sequence[str], count: int, folder: Path) -> list[str]:
    """So many different files: the given ones, and links to them, or copies, in ``folder``."""
    folder.mkdir(exist_ok=True)
    result = list(files[:count])
    for number in range(count - len(result)):
        source = files[number % len(files)]
        target = folder / f"{number:06d}{Path(source).suffix}"
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy(source, target)
        result.append(str(target))
    return result


def make_mosaic(photos: Sequence[str], path: Path) -> None:
    """Write one JPEG of many photographs side by side: real detail at every place."""
    import cv2
    import numpy as np

    mosaic = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    width, height = WIDTH // ACROSS, HEIGHT // ACROSS
    for place, photo in enumerate(photos):
        row, column = divmod(place, ACROSS)
        cell = np.s_[row * height : (row + 1) * height, column * width : (column + 1) * width]
        mosaic[cell] = cv2.resize(cv2.imread(photo), (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), mosaic, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def large_files(photos: Sequence[str], count: int, folder: Path) -> list[str]:
    """Make so many 12-megapixel files, in another process."""
    folder.mkdir()
    listed = folder / "photographs.json"
    listed.write_text(json.dumps(list(photos)))
    command = [sys.executable, __file__, str(listed), str(folder), str(count)]
    subprocess.run(command, check=True)
    return files_below(folder)


def main() -> None:
    photos, folder = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    each = ACROSS * ACROSS
    for number in range(int(sys.argv[3])):
        first = 17 * number  # other photographs, or at other places
        chosen = [photos[(first + place) % len(photos)] for place in range(each)]
        make_mosaic(chosen, folder / f"{number:03d}.jpg")


if __name__ == "__main__":
    main()
