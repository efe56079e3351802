"""Files that travel with the package: source definitions, crosswalks and pipelines."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, such as ``"catalogs/sources"``.

    In a wheel these files lie inside the package; in a checkout they lie beside it. The wheel's copy
    is looked at first: a folder named ``catalogs`` next to an installed package is somebody else's.

    Parameters
    ----------
    relative : path below the root of the repository, with forward slashes.

    Raises
    ------
    FileNotFoundError : the installation is damaged; nothing the user gave can cause this.
    """
    for root in (PACKAGE / "_shipped", PACKAGE.parent):
        path = root / relative
        if path.exists():
            return path
    raise FileNotFoundError(f"{relative} is not part of this installation of rsprep (looked beside {PACKAGE})")
