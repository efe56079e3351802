"""A finished data set as STAC: its index, its collection, and its place in a catalog.

All files are written to a temporary sibling and then replaced. They hold no time of writing and
no address that was signed, so equal builds give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rsprep.cloud.address import Address, Place, folder_only, resolved
from rsprep.errors import CatalogError, StoreError
from rsprep.files import SUFFIX, write_text
from rsprep.job.desk import Desk, at_desk
from rsprep.job.journal_view import JournalView
from rsprep.job.places import check_folder
from rsprep.job.records import CORPUS, SYNTHETIC
from rsprep.stac.collection import Coverage, collection_json
from rsprep.stac.items import ALWAYS, FILE_NAME, STAC_VERSION, item_row, write_items
from rsprep.store.seal import is_sealed
from rsprep.store.write import read_schema

COLLECTION = "collection.json"
CATALOG = "catalog.json"
STORE = "chips.zarr"
_CATALOG_ID = "rsprep"


def write_catalog(
    dataset: str | Path | Desk,
    *,
    name: str | None = None,
    title: str | None = None,
    licence: str = "other",
    derived_from: Mapping[str, str] | None = None,
) -> int:
    """Write ``items.parquet`` and ``collection.json`` of a sealed data set.

    Parameters
    ----------
    dataset : folder of the data set.
    name : id of the collection; the folder's name by default.
    title : one line for people.
    licence : SPDX name, or ``other``.
    derived_from : title of a source collection to its address, for the links; none may be signed.

    Returns
    -------
    Number of chips.

    Raises
    ------
    StoreError : ``not-found``, ``unsealed``, ``no-time``.
    """
    with at_desk(dataset) as desk, JournalView.open(desk.folder) as journal:
        schema, _ = read_schema(desk.store)
        if not is_sealed(desk.store):
            raise StoreError(
                "unsealed", "the data set is not finished", value=str(desk.home), remedy="run the same build again"
            )
        name = name or desk.name
        window = _window(journal)
        synthetic = bool((journal.meta(CORPUS) or {}).get(SYNTHETIC))
        coverage = Coverage()

        def rows() -> Iterator[dict[str, Any]]:
            for chip in journal.chips("committed"):
                row = item_row(chip, schema, name, window, synthetic=synthetic)
                coverage.add(row)
                yield row

        count = write_items(desk.folder / FILE_NAME, rows(), schema)
        content = collection_json(
            name, schema, coverage, title=title, licence=licence, derived_from=dict(derived_from or {})
        )
        _write_json(desk.folder / COLLECTION, content)
    return count


def _window(journal: JournalView) -> tuple[dt.datetime, dt.datetime] | None:
    """First and last time of the granules; a corpus may be made of pictures without a date."""
    times = [granule.datetime for granule in journal.granules()]
    if not times:
        return ALWAYS if journal.meta(CORPUS) is not None else None
    return min(times), max(times)


def register(dataset: str | Path | Desk, catalog: str | Path) -> Path:
    """Enter a data set in the STAC catalog in folder `catalog`, which is made if absent.

    Entering it again changes nothing; builds that end at the same time wait for each other.

    Parameters
    ----------
    dataset : folder with a ``collection.json``.

    Returns
    -------
    The catalog's file.

    Raises
    ------
    StoreError : ``not-found`` if the data set has no collection.
    CatalogError : ``not-a-catalog`` if another file is where the catalog should be.
    """
    desk = dataset if isinstance(dataset, Desk) else Desk(folder=Path(dataset), home=Path(dataset))
    home = folder_only(catalog, "--catalog").resolve()
    if not (desk.folder / COLLECTION).is_file():
        raise StoreError(
            "not-found", "the data set has no collection.json", value=str(desk.home), remedy="finish the build first"
        )
    collection = json.loads((desk.folder / COLLECTION).read_text(encoding="utf-8"))
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        for stale in home.glob(f".{CATALOG}.*{SUFFIX}"):  # of a process that was killed while it wrote
            stale.unlink()
        content = _read_catalog(home / CATALOG)
        href = relative_href(resolved(desk.home) / COLLECTION, home)
        link = {"rel": "child", "href": href, "type": "application/json", "title": collection.get("title", href)}
        others = [one for one in content["links"] if not (one["rel"] == "child" and one["href"] == href)]
        head = [one for one in others if one["rel"] != "child"]
        children = [one for one in others if one["rel"] == "child"]
        content["links"] = head + sorted([*children, link], key=lambda one: str(one["href"]))
        _write_json(home / CATALOG, content)
    return home / CATALOG


def check_home(catalog: str | Path) -> None:
    """See that :func:`register` can enter a data set in folder `catalog`, before work on it begins; writes nothing.

    Raises
    ------
    CatalogError : ``not-a-catalog``, as :func:`register` does.
    StoreError : ``not-a-folder`` or ``not-writable``.
    """
    home = folder_only(catalog, "--catalog")
    check_folder(home, "--catalog")
    _read_catalog(home / CATALOG)


def _read_catalog(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {
            "type": "Catalog",
            "stac_version": STAC_VERSION,
            "id": _CATALOG_ID,
            "title": "Data sets built by rsprep",
            "description": "Data sets of chips for training, each a STAC collection beside its Zarr store.",
            "links": [{"rel": "root", "href": "./catalog.json", "type": "application/json"}],
        }
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if content["type"] == "Catalog" and isinstance(content["links"], list):
            return content
    except (ValueError, KeyError, TypeError):
        pass  # said below: whatever it is, it is no catalog
    raise CatalogError(
        "not-a-catalog", "the file is no STAC catalog", value=str(file), remedy="choose another --catalog folder"
    )


def relative_href(target: Place, start: Place) -> str:
    """How a file in folder `start` points to `target`; both absolute. By its whole address, where a bucket is met."""
    if isinstance(target, Address) or isinstance(start, Address):
        return str(target)
    href = Path(os.path.relpath(target, start)).as_posix()
    return href if href.startswith(".") else f"./{href}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the catalog."""
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
