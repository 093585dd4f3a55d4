"""Folder → paths of the images in it."""

from __future__ import annotations

import os
import warnings
from collections import Counter

from ._formats import has_image_magic, image_extensions


def list_images(folder: str | os.PathLike[str], recursive: bool = True) -> list[str]:
    """List the image files of a folder, sorted.

    A file counts as an image if its extension is one that Pillow or OpenCV reads, or if its
    first bytes are those of an image whatever it is called. So a text file named ``a.jpg`` is
    listed (and later reported as invalid), and a JPEG without an extension is listed too.

    Hidden files and folders (a leading dot) and other files are passed over; one warning says
    how many and of what kind. Links to files are followed, links to folders are not.

    Parameters
    ----------
    folder : str or path-like
        The folder.
    recursive : bool, default=True
        Whether to descend into sub-folders.

    Returns
    -------
    paths : list of str
        Each begins with ``folder`` as given.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``folder`` does not exist or is a file.

    Examples
    --------
    >>> import tempfile, pathlib, PIL.Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> PIL.Image.new("RGB", (8, 8)).save(folder / "b.png")
    >>> PIL.Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    >>> [pathlib.Path(path).name for path in list_images(folder)]
    ['a.jpg', 'b.png']
    """
    root = os.fspath(folder)
    if not os.path.isdir(root):
        if os.path.lexists(root):
            raise NotADirectoryError(f"not a folder: {root!r}")
        raise FileNotFoundError(f"no such folder: {root!r}")
    paths: list[str] = []
    passed_over: Counter[str] = Counter()

    def unreadable(error: OSError) -> None:
        passed_over["folders that cannot be read"] += 1

    for parent, folders, files in os.walk(root, onerror=unreadable):
        passed_over["hidden"] += sum(name.startswith(".") for name in (*folders, *files))
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in files:
            if name.startswith("."):
                continue
            path = os.path.join(parent, name)
            extension = os.path.splitext(name)[1].lower()
            if extension in image_extensions() or has_image_magic(path):
                paths.append(path)
            else:
                passed_over[f"not images ({extension or 'no extension'})"] += 1
    passed_over += Counter()  # drops the kinds that did not occur
    if passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common(8))
        warnings.warn(
            f"list_images passed over {passed_over.total()} entries of {root!r}: {kinds}",
            stacklevel=2,
        )
    return sorted(paths)
