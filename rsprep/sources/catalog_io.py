"""Reading STAC documents, from disk or http: every fault has a name, and a short answer is a fault."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pystac.link import Link
from pystac_client.exceptions import APIError
from pystac_client.stac_api_io import StacApiIO
from urllib3.util.retry import Retry

from rsprep.errors import CatalogError
from rsprep.reading.reach import Reach
from rsprep.sources.http import TIMEOUT, make_retry, mount
from rsprep.sources.signing import redact
from rsprep.strict_json import MOST_BYTES, load_json

OLDEST = (1, 0)
"""Oldest STAC version read; before it, assets and projection were written under other names."""
MAX_PAGES = 10_000
MOST_PROBED = 500
"""Largest result that is asked for again on one page, to see whether something follows it."""
_ADDRESS = "is this the address of a STAC API or a catalog.json?"


class CatalogIO(StacApiIO):
    """Reads documents and pages of search results; shared by static catalogs and APIs.

    Parameters
    ----------
    retry : policy for passing faults; default :func:`rsprep.sources.http.make_retry`.
    timeout : seconds to connect and to read.
    reach : what the documents may make it read; None: whatever is named.
    """

    def __init__(
        self, retry: Retry | None = None, timeout: tuple[float, float] = TIMEOUT, *, reach: Reach | None = None
    ) -> None:
        super().__init__(timeout=timeout)
        mount(self.session, retry or make_retry(), reach)
        self._reach = reach

    def read_document(self, href: str | Link, parameters: dict[str, Any] | None = None, method: str = "GET") -> Any:
        """The JSON object at `href`.

        Raises
        ------
        CatalogError : ``not-found``, ``refused``, ``server-error``, ``unreachable`` or ``not-json``; and what
            :meth:`rsprep.reading.reach.Reach.check` raises.
        """
        text = self.read_checked(href, parameters, method)
        try:
            content = load_json(text)
        except ValueError as error:
            raise CatalogError(
                "not-json",
                f"the answer is not JSON ({error})",
                value=f"{_shown(href)}: {redact(text[:80])!r}",
                remedy=_ADDRESS,
            ) from None
        if not isinstance(content, dict):
            raise CatalogError("not-stac", "the document holds no STAC object", value=_shown(href), remedy=_ADDRESS)
        return content

    def read_checked(self, href: str | Link, parameters: dict[str, Any] | None = None, method: str = "GET") -> str:
        """The text at `href`; raises CatalogError as :meth:`read_document` does."""
        try:
            if isinstance(href, Link) or is_url(href):
                if self._reach is not None:
                    self._reach.check(str(href.href if isinstance(href, Link) else href))
                return self.read_text(href, method=method, parameters=parameters)
            return self._read_file(href)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise CatalogError(
                "not-found", "there is no such file", value=_shown(href), remedy="check --endpoint"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            remedy = "check its permissions, and that it is a text file"
            raise CatalogError(
                "unreadable", f"the file cannot be read: {error}", value=_shown(href), remedy=remedy
            ) from None
        except APIError as error:
            if isinstance(error.__context__, CatalogError):  # which the base class has put its own words over
                raise error.__context__ from None
            raise _explain(error, _shown(href)) from None

    def _read_file(self, href: str) -> str:
        path = Path(href) if self._reach is None else self._reach.local(href)
        if not path.is_file() and not path.is_dir() and path.exists():
            raise OSError("it is no regular file")
        if path.is_file() and path.stat().st_size > MOST_BYTES:
            raise OSError(f"it has {path.stat().st_size:,} bytes, at most {MOST_BYTES:,} are read")
        return path.read_text(encoding="utf-8-sig")  # editors on Windows put a mark before the text

    def get_pages(
        self, url: str, method: str | None = None, parameters: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Pages of a search, each checked: the base class takes an error body for the end of the results.

        Raises
        ------
        CatalogError : ``bad-page``, ``endless-paging``, ``short-result`` where the server counts more items than it
            gave or leaves off the link to its next page, and what :meth:`read_document` raises.
        """
        link: str | Link = url
        asked: set[str] = set()
        count, matched = 0, None
        for number in range(MAX_PAGES):
            page = self.read_document(link, parameters, method or "GET")
            features = page.get("features")
            if not isinstance(features, list):
                raise CatalogError(
                    "bad-page",
                    f"page {number + 1} of the search results holds no features",
                    value=redact(json.dumps(page)[:200]),
                    remedy="the server failed without saying so; try again later",
                )
            returned = page.get("numberReturned")
            if isinstance(returned, int) and returned != len(features):
                raise _short(url, returned, len(features))
            count += len(features)
            matched = _matched(page) if matched is None else matched
            if features:
                yield page
            links = [entry for entry in page.get("links") or [] if isinstance(entry, dict)]
            following = next((entry for entry in links if entry.get("rel") == "next"), None)
            if following is None and matched is None:
                self._check_last(url, method or "GET", parameters or {}, count, len(features))
            if following is None or not features:
                break
            key = json.dumps(following, sort_keys=True)
            if key in asked:
                raise _endless(url)
            asked.add(key)
            link = _next_link(following)
        else:
            raise _endless(url)
        if matched is not None and count < matched:
            raise _short(url, matched, count)

    def _check_last(self, url: str, method: str, parameters: dict[str, Any], count: int, last: int) -> None:
        """See that nothing follows a last page that is full, on a server that does not count: by asking for one more.

        Without its link to the next page a result would end there, and nothing else would tell. A server that gives
        no such page has the benefit of the doubt.
        """
        limit = parameters.get("limit")
        if not isinstance(limit, int) or last < limit or count >= MOST_PROBED:
            return
        try:
            more = self.read_document(url, {**parameters, "limit": count + 1}, method).get("features")
        except CatalogError:
            return
        if isinstance(more, list) and len(more) > count:
            raise _short(url, len(more), count)


def check_stac(document: dict[str, Any], where: str, *, kinds: tuple[str, ...]) -> None:
    """Check that `document` is a STAC object of one of `kinds` in a version that is read here.

    Raises
    ------
    CatalogError : ``not-stac``, ``wrong-type`` or ``stac-version``.
    """
    kind, version = document.get("type"), document.get("stac_version")
    if not isinstance(kind, str) or not isinstance(version, str):
        raise CatalogError(
            "not-stac",
            "the document is JSON but no STAC object (type and stac_version are missing)",
            value=where,
            remedy=_ADDRESS,
        )
    if kind not in kinds:
        raise CatalogError(
            "wrong-type", f"expected a STAC {' or '.join(kinds)}, found {kind}", value=where, remedy=_ADDRESS
        )
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        raise CatalogError(
            "stac-version",
            f"STAC {version} is too old to be read",
            value=where,
            remedy="rsprep reads STAC 1.0 and later; migrate the catalog (pystac does)",
        )


def is_url(href: str) -> bool:
    """Whether `href` is read over http."""
    return urlsplit(href).scheme in ("http", "https")


def _shown(href: str | Link) -> str:
    return redact(str(href.href if isinstance(href, Link) else href))


def _next_link(told: dict[str, Any]) -> Link:
    """The link to the next page, which is asked for as searches are and in no other way."""
    href, method = told.get("href"), told.get("method", "GET")
    parts = (told.get("body", {}), told.get("headers", {}))
    if not isinstance(href, str) or not is_url(href) or method not in ("GET", "POST"):
        fit = False
    else:
        fit = all(part is None or isinstance(part, dict) for part in parts)
    if not fit:
        raise CatalogError(
            "bad-next-link",
            "the link to the next page is none that can be followed",
            value=redact(json.dumps(told)[:200]),
            remedy="the server does not speak STAC; check the address",
        )
    return Link.from_dict({key: value for key, value in told.items() if key not in ("body", "headers") or value})


def _matched(page: dict[str, Any]) -> int | None:
    count = page.get("numberMatched", (page.get("context") or {}).get("matched"))
    return count if isinstance(count, int) else None


def _short(url: str, matched: int, count: int) -> CatalogError:
    return CatalogError(
        "short-result",
        f"the server matched {matched} items and delivered {count}",
        value=url,
        remedy="a page was lost on the way; try again later",
    )


def _endless(url: str) -> CatalogError:
    return CatalogError(
        "endless-paging", "the pages of the search results never end", value=url, remedy="narrow the AOI or the period"
    )


def _explain(error: APIError, where: str) -> CatalogError:
    status = getattr(error, "status_code", None)
    told = redact(str(error))[:200]
    if status == 404:
        return CatalogError(
            "not-found", "the server has no such document (404)", value=where, remedy="check --endpoint"
        )
    if status in (401, 403):
        return CatalogError(
            "refused",
            f"the server refuses ({status}): {told}",
            value=where,
            remedy="does this catalog need an account?",
        )
    if status is not None:
        return CatalogError(
            "server-error", f"the server answered {status}: {told}", value=where, remedy="try again later"
        )
    if "too many" in told:
        return CatalogError("server-error", f"the server kept failing: {told}", value=where, remedy="try again later")
    return CatalogError("unreachable", f"no answer: {told}", value=where, remedy="check the address and the network")
