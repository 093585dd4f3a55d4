"""Folder, archive or URL → references to the images in it."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from typing import Any

from ._archives import archive_kind, list_members
from ._formats import extension_of, has_image_extension, has_image_magic
from ._remote import find_urls, is_url


def list_images(folder: str | os.PathLike[str], recursive: bool = True) -> list[Any]:
    """List the image files of a folder, an archive or a URL, sorted.

    A file counts as an image if its extension is one that Pillow or OpenCV reads, or if its
    first bytes are those of an image whatever it is called. So a text file named ``a.jpg`` is
    listed (and later reported as invalid), and a JPEG without an extension is listed too.

    Hidden files and folders (a leading dot) and other files are passed over; one warning says
    how many and of what kind. Links to files are followed, links to folders are not.

    Below a URL only the extension counts: looking into a file would be a request for each.

    Parameters
    ----------
    folder : str or path-like
        A folder, a zip archive, a tar archive that is not compressed, or the URL of a folder in
        a store that `fsspec <https://filesystem-spec.readthedocs.io>`_ knows
        ("s3://bucket/photos"), also with wildcards. URLs need the extra ``imagequality[remote]``.
    recursive : bool, default=True
        Whether to descend into sub-folders.

    Returns
    -------
    paths : list of str, or of ArchiveMember
        Paths or URLs, each beginning with ``folder`` as given; of an archive, references to
        its members.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``folder`` does not exist or is a file.
    ValueError
        If an archive is damaged, or compressed as a whole (``.tar.gz``): see
        :func:`stream_images`.
    ImportError
        If a URL needs a package that is not installed; its text names it.

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
    found: list[Any]
    if is_url(root):
        found, passed_over = find_urls(root, recursive)
    elif not os.path.isdir(root) and os.path.exists(root) and archive_kind(root):
        found, passed_over = list_members(root, recursive)
    else:
        found, passed_over = _files_of_folder(root, recursive)
    warn_of_passed_over("list_images", root, passed_over)
    return found


def warn_of_passed_over(function: str, source: str, passed_over: Counter[str]) -> None:
    """Say in one warning, to the caller of the caller, what was passed over."""
    passed_over += Counter()  # drops the kinds that did not occur
    if passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common(8))
        warnings.warn(
            f"{function} passed over {passed_over.total()} entries of {source!r}: {kinds}",
            stacklevel=3,
        )


def _files_of_folder(root: str, recursive: bool) -> tuple[list[Any], Counter[str]]:
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
            if has_image_extension(name) or has_image_magic(path):
                paths.append(path)
            else:
                passed_over[f"not images ({extension_of(name) or 'no extension'})"] += 1
    return sorted(paths), passed_over
