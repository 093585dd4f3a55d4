"""Folders, archives, URLs and single files → references to all the images in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from ..images import ArchiveMember, list_images
from ._output import complain


def images_in(sources: Sequence[str]) -> list[Any]:
    """List the images of several sources; one that lies in two of them is listed once.

    Parameters
    ----------
    sources : sequence of str
        Folders, archives or URLs, see :func:`imagequality.list_images`.

    Returns
    -------
    references : list of str or ArchiveMember
        In the order of the sources.

    Raises
    ------
    FileNotFoundError, NotADirectoryError, ValueError, ImportError
        If a source cannot be listed, or if there is no image in any.
    """
    references = [reference for source in sources for reference in list_images(source)]
    if not references:
        raise FileNotFoundError(f"no images in {', '.join(sources)}")
    return _each_once(references)


def files_or_folders(sources: Sequence[str]) -> list[Any]:
    """List single images, in the order given, and those in folders and archives among them.

    Parameters
    ----------
    sources : sequence of str
        What is neither a folder nor an archive is an image, even if there is no such file.

    Returns
    -------
    references : list of str or ArchiveMember
    """
    references: list[Any] = []
    for source in sources:
        if os.path.isdir(source) or source.lower().endswith((".zip", ".tar")):
            references += list_images(source)
        else:
            references.append(source)
    if not references:
        raise FileNotFoundError(f"no images in {', '.join(sources)}")
    return references


def others_than(references: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    """Leave out what is known: an image that is compared with itself says nothing.

    Parameters
    ----------
    references, known : sequences of str or ArchiveMember

    Returns
    -------
    references : list of str or ArchiveMember

    Raises
    ------
    ValueError
        If nothing is left.
    """
    places = {_place(reference) for reference in known}
    others = [reference for reference in references if _place(reference) not in places]
    left_out = len(references) - len(others)
    if not others:
        raise ValueError("all the images lie in the folder that they are compared with")
    if left_out:
        complain(f"{left_out} images lie in both folders; they are not compared with themselves")
    return others


def class_of(reference: str | ArchiveMember) -> str:
    """Return the name of the folder that an image lies in, as its class.

    Parameters
    ----------
    reference : str or ArchiveMember

    Returns
    -------
    name : str

    Examples
    --------
    >>> class_of("photos/cats/1.jpg"), class_of(ArchiveMember("photos.zip", "dogs/2.jpg"))
    ('cats', 'dogs')
    """
    path = str(reference).replace("!/", "/").replace(os.sep, "/")
    return PurePosixPath(path).parent.name


def _each_once(references: list[Any]) -> list[Any]:
    """Leave out what is there twice: it would be reported as a duplicate of itself."""
    once: dict[str, Any] = {}
    for reference in references:
        once.setdefault(_place(reference), reference)
    repeated = len(references) - len(once)
    if repeated:
        complain(f"{repeated} images lie in more than one of the sources; each is taken once")
    return list(once.values())


def _place(reference: str | ArchiveMember) -> str:
    """Return where an image lies, whatever way of writing a path was chosen."""
    if isinstance(reference, ArchiveMember):
        return f"{os.path.abspath(reference.archive)}!/{reference.name}"
    return reference if "://" in reference else os.path.abspath(reference)
