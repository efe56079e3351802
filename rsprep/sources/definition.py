"""Source definitions: a YAML file in ``catalogs/sources`` becomes a source."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from rsprep.errors import CatalogError
from rsprep.reading.reach import HOST_PATTERN, Reach, host_of, reach
from rsprep.resources import shipped
from rsprep.sources.product_rules import (
    Absent,
    Band,
    DemProduct,
    LandCoverProduct,
    Product,
    ProductName,
    Rule,
    Score,
    Sentinel1Product,
    Sentinel2Product,
)
from rsprep.strict_yaml import load_yaml

__all__ = [
    "Absent",
    "Band",
    "DemProduct",
    "LandCoverProduct",
    "Product",
    "ProductName",
    "Score",
    "Sentinel1Product",
    "Sentinel2Product",
    "SourceDefinition",
    "TokenService",
    "list_definitions",
    "load_definition",
]

SUFFIXES = (".yaml", ".yml")
MAX_DEFINITION_BYTES = 1_000_000
WORDS = {"title", "account", "login_help", "cost", "licence"}
REACH = {"hosts", "folders", "allow_private", "allow_http"}
"""Keys that say what may be read, and change nothing of what is."""
PRODUCT_WORDS = {"resolution", "licence", "attribution"}
"""Keys of a definition and of its products that are for people only."""


class Products(Rule):
    """The products of a source; a source need not have all four."""

    sentinel2: Sentinel2Product | None = None
    sentinel1: Sentinel1Product | None = None
    landcover: LandCoverProduct | None = None
    dem: DemProduct | None = None

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.names():
            raise ValueError("a source needs at least one product: sentinel2, sentinel1, landcover or dem")
        return self

    def names(self) -> list[str]:
        """Keys of the products that this source has."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]


class TokenService(Rule):
    """Where tokens are fetched that files are read with: ``GET service/ACCOUNT/CONTAINER`` as the Planetary Computer
    answers it, see :mod:`rsprep.sources.signing`.
    """

    service: Annotated[str, Field(pattern=r"^https?://[^?]+$")]
    hosts: Annotated[tuple[Annotated[str, Field(pattern=HOST_PATTERN)], ...], Field(min_length=1)]
    """Hosts whose files need a token: names, or ``*.suffix``. Nothing is ever sent to another."""


PLANETARY_COMPUTER = TokenService(
    service="https://planetarycomputer.microsoft.com/api/sas/v1/token", hosts=("*.blob.core.windows.net",)
)


def _known_service(value: object) -> object:
    """``none`` and ``planetary-computer`` by name; anything else is left to the model."""
    if value == "planetary-computer":
        return PLANETARY_COMPUTER
    return None if value == "none" else value


class SourceDefinition(Rule):
    """One provider: where its catalog is and how its products are coded."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    kind: Annotated[str, Field(min_length=1)] = "stac"
    """Which module reads it, see :mod:`rsprep.sources.base`."""
    endpoint: str | None = None
    """STAC API, or catalog.json on disk or http; None where the user has to give one."""
    signing: Annotated[TokenService | None, BeforeValidator(_known_service)] = None
    """Written as ``none``, ``planetary-computer`` or a mapping; None where anybody may read the files."""
    skip: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Ids of items that are left out, because their files or their words are known to be damaged."""
    account: Annotated[str, Field(min_length=1)] = "none"
    """``none``, or what a user needs before anything can be read."""
    login_help: str | None = None
    """How to log in, step by step; None where there is nothing to do."""
    cost: str | None = None
    """What reading costs, and whom."""
    needs_period: bool = False
    """True where a search without start and end would find years of scenes."""
    rewrite: dict[str, str] = Field(default_factory=dict)
    """Prefixes of hrefs that are replaced, such as ``s3://bucket/`` by the address of the same bucket on https."""
    hosts: tuple[Annotated[str, Field(pattern=HOST_PATTERN)], ...] = ()
    """Hosts of the files, beside that of the endpoint and those that other keys name: names, or ``*.suffix``."""
    folders: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Folders of the files of a catalog on disk, beside its own."""
    allow_private: bool = False
    """True: the hosts may lie in a private network."""
    allow_http: bool = False
    """True: the hosts may be asked without encryption."""
    licence: str
    products: Products

    @model_validator(mode="after")
    def _readable(self) -> Self:
        optical = self.products.sentinel2
        if self.kind == "stac" and optical is not None and optical.score is not None:
            raise ValueError("sentinel2.score is a companion image of Earth Engine; a STAC catalog has none")
        return self

    def product(self, name: str) -> Product:
        """Rules of the product `name`; raises CatalogError ``no-such-product`` where the source lacks it."""
        rules: Product | None = getattr(self.products, name, None) if name in Products.model_fields else None
        if rules is None:
            raise CatalogError(
                "no-such-product",
                f"source {self.name} has no product {name!r}",
                value=name,
                remedy=f"it has: {', '.join(self.products.names())}",
            )
        return rules

    def reach(self, endpoint: str) -> Reach:
        """What a catalog at `endpoint`, read by this definition, may make us open.

        The hosts of `endpoint`, of :attr:`hosts`, of files that need a token, and of addresses that the definition
        itself puts in place of others; below the folder of a catalog on disk and :attr:`folders`.
        """
        dem = self.products.dem
        told = [*self.rewrite.values(), (dem.absent.href if dem is not None else None) or ""]
        hosts = [*self.hosts, *(self.signing.hosts if self.signing is not None else ())]
        hosts += [host_of(href) for href in told if urlsplit(href).scheme in ("http", "https")]
        return reach(
            [endpoint],
            hosts=hosts,
            folders=self.folders,
            allow_private=self.allow_private,
            allow_http=self.allow_http,
        )

    def fingerprint(self) -> str:
        """Hash of all that decides which pixels are read and what they mean; words for people may change."""
        told = self.model_dump(mode="json", exclude=WORDS | REACH | {"products"})
        products = {
            name: self.product(name).model_dump(mode="json", exclude=PRODUCT_WORDS) for name in self.products.names()
        }
        return hashlib.sha256(json.dumps([told, products], sort_keys=True).encode()).hexdigest()[:16]


def list_definitions() -> list[str]:
    """Names of the shipped source definitions, sorted."""
    return sorted(path.stem for path in shipped("catalogs/sources").iterdir() if path.suffix in SUFFIXES)


def load_definition(name_or_path: str | Path) -> SourceDefinition:
    """Read and check a source definition.

    Parameters
    ----------
    name_or_path : name of a shipped definition (``"planted"``), or path of a YAML file.

    Raises
    ------
    CatalogError : unknown name, no such file, not YAML, or contents that are wrong; the slug tells which.
    """
    path = _locate(name_or_path)
    definition = _validate(_read_mapping(path), path)
    landcover = definition.products.landcover
    if landcover is not None:
        _check_crosswalk(landcover.crosswalk)
    return definition


def _locate(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if text.endswith(SUFFIXES) or "/" in text or isinstance(name_or_path, Path):
        path = Path(text)
        if not path.is_file():
            raise CatalogError(
                "definition-not-found",
                "there is no such source definition",
                value=text,
                remedy=f"check the path, or use a shipped name: {', '.join(list_definitions())}",
            )
        return path
    known = list_definitions()
    if text not in known:
        close = difflib.get_close_matches(text, known, n=1)
        raise CatalogError(
            "unknown-source",
            "no source has this name",
            value=text,
            remedy=f"did you mean {close[0]!r}?" if close else f"known sources: {', '.join(known)}",
        )
    return next(p for p in sorted(shipped("catalogs/sources").iterdir()) if p.stem == text and p.suffix in SUFFIXES)


def _read_mapping(path: Path) -> dict[str, Any]:
    remedy = "see catalogs/sources for examples"
    if path.stat().st_size > MAX_DEFINITION_BYTES:
        raise CatalogError("definition-too-large", "a definition is never this large", value=str(path), remedy=remedy)
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogError(
            "definition-not-yaml", f"the definition is not YAML: {error}", value=str(path), remedy=remedy
        ) from None
    if not isinstance(content, dict):
        raise CatalogError(
            "definition-not-a-mapping", "the definition holds no key: value pairs", value=str(path), remedy=remedy
        )
    return content


def _validate(content: dict[str, Any], path: Path) -> SourceDefinition:
    try:
        return SourceDefinition.model_validate(content)
    except ValidationError as error:
        raise _explain(error, path) from None


def _explain(error: ValidationError, path: Path) -> CatalogError:
    """First complaint of pydantic as a named error: cause, value and remedy in our words."""
    # A key that is misspelled is missing too: the misspelling is what to tell.
    told = error.errors()
    first = next((one for one in told if one["type"] == "extra_forbidden"), told[0])
    keys = [part for part in first["loc"] if isinstance(part, str)]
    where = ".".join(str(part) for part in first["loc"])
    # Beyond the last key of ours come names that a user chose, and pydantic's own for the members of a union.
    key = next((part for part in reversed(keys) if part in _known_keys()), "definition")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(keys[-1], _known_keys(), n=1)
        remedy = f"did you mean {close[0]!r}?" if close else "see catalogs/sources for the known keys"
        return CatalogError("definition-unknown-key", f"{path.name}: this key is not known", value=where, remedy=remedy)
    if first["type"] == "missing" and key == "nodata":
        return CatalogError(
            "nodata-undeclared",
            f"{path.name}: {where} is not declared",
            remedy=f"write {where}: the number that means no data (files do not always say)",
        )
    if first["type"] == "missing":
        return CatalogError("definition-missing-key", f"{path.name}: {where} is missing", remedy=f"give {where}")
    if first["type"] == "value_error" and message.startswith("nodata"):
        key = "nodata"
    return CatalogError(
        f"bad-{key.replace('_', '-')}",
        f"{path.name}: {where}: {message}",
        value=first["input"] if not isinstance(first["input"], dict) else None,
        remedy="see catalogs/sources for examples",
    )


def _known_keys() -> list[str]:
    models: list[type[Rule]] = [SourceDefinition, Products, Absent, Score, TokenService]
    models += [Sentinel2Product, Sentinel1Product, LandCoverProduct, DemProduct]
    return [key for model in models for key in model.model_fields]


def _check_crosswalk(name: str) -> None:
    known = sorted(path.stem for path in shipped("catalogs/crosswalks").iterdir() if path.suffix in SUFFIXES)
    if name not in known:
        raise CatalogError(
            "bad-crosswalk",
            "there is no such land-cover crosswalk",
            value=name,
            remedy=f"known crosswalks: {', '.join(known)}",
        )
