"""What went wrong with a request: passing or lasting, and whose business it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from rsprep.errors import BuildError, CatalogError, ConfigError, ReadError, RsprepError
from rsprep.sources.earthengine.login import LOG_IN, NAME_ONE

Kind = Literal["passing", "throttled", "login", "project", "permission", "gone", "refused"]
GOES_ON = "the same command goes on from here"

_PASSING = {408, 500, 502, 503, 504}
_OF_PROJECTS = (
    "not registered to use earth engine", "not signed up", "has not been used in project", "service_disabled",
)  # fmt: skip
_RESTS_WITH_THE_USER: dict[str, tuple[str, str, str]] = {
    "login": ("login-refused", "Earth Engine does not accept the login", LOG_IN),
    "project": ("project-refused", "the project may not use Earth Engine", NAME_ONE),
    "permission": (
        "permission-denied",
        "the account may not use this project or asset",
        "ask its owner for the roles Earth Engine Resource Viewer and Service Usage Consumer, or name another project",
    ),
}


class Fault(Exception):  # noqa: N818 - becomes an error of a family of its own
    """A request that failed; becomes a named error where it is known what was asked for.

    Parameters
    ----------
    kind : passing: the same request may well succeed; throttled: too many requests, or a quota is used up;
        login, project, permission: for the user to mend; gone: there is no such asset; refused: the request is wrong.
    message : the service's own words, without secrets.
    retry_after : seconds to wait before the next try, where the service says so.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.attempts = 1
        self.waited_long = False
        """True where it was tried for so long that the next one would meet the same."""

    def as_catalog_error(self, what: str) -> RsprepError:
        """The error for a search of collection `what`, in the process that the user started."""
        if self.kind in _RESTS_WITH_THE_USER:
            slug, cause, remedy = _RESTS_WITH_THE_USER[self.kind]
            return ConfigError(slug, f"{cause}: {self.message}", value=what, remedy=remedy)
        if self.kind == "gone":
            return CatalogError(
                "collection-gone", f"Earth Engine has no such collection: {self.message}", value=what,
                remedy="check the collection in the source definition, and who may read it",
            )  # fmt: skip
        if self.kind == "refused":
            return CatalogError(
                "search-refused", f"Earth Engine refused the search: {self.message}", value=what,
                remedy="simplify the AOI, or report this",
            )  # fmt: skip
        return CatalogError(
            "no-answer", f"Earth Engine gave no answer in {self.attempts} attempts: {self.message}", value=what,
            remedy="try again later, or with fewer requests (earthengine.concurrent, requests_per_second)",
        )  # fmt: skip

    def as_read_error(self, what: str) -> RsprepError:
        """The error for pixels of image `what`, in a task; a BuildError where every other task would meet it too."""
        if self.kind in _RESTS_WITH_THE_USER:
            slug, cause, remedy = _RESTS_WITH_THE_USER[self.kind]
            return BuildError(slug, f"{cause}: {self.message}", value=what, remedy=f"{remedy}; {GOES_ON}")
        if self.kind == "throttled" and self.waited_long:
            return BuildError(
                "quota", f"Earth Engine takes no more requests ({self.attempts} attempts): {self.message}", value=what,
                remedy=f"wait until the quota is renewed, or lower earthengine.requests_per_second; {GOES_ON}",
            )  # fmt: skip
        if self.kind == "gone":
            return ReadError(
                "image-gone", f"Earth Engine has the image no more: {self.message}", value=what,
                remedy="search again: build without granules, into a new folder",
            )  # fmt: skip
        if self.kind == "refused":
            return ReadError(
                "request-refused", f"Earth Engine refused the request: {self.message}", value=what,
                remedy="report this; the chip size or the number of bands may be at fault",
            )  # fmt: skip
        return ReadError(
            "unavailable", f"Earth Engine gave no pixels in {self.attempts} attempts: {self.message}", value=what,
            remedy="run the same command with --retry-failed later",
        )  # fmt: skip


def diagnose(error: BaseException) -> Fault | None:
    """What an exception of the client or of the network means; None for one that is neither."""
    from google.auth.exceptions import GoogleAuthError, RefreshError
    from google.auth.exceptions import TransportError as AuthTransportError
    from googleapiclient.errors import Error as ClientError
    from googleapiclient.errors import HttpError

    for link in _chain(error):
        if isinstance(link, Fault):
            return link
        if isinstance(link, HttpError):
            return _of_answer(int(link.resp.status), bytes(link.content or b""), link.resp)
        if isinstance(link, (ConnectionError, TimeoutError)):
            return Fault("passing", str(link) or type(link).__name__)
        if isinstance(link, AuthTransportError) or (isinstance(link, RefreshError) and link.retryable):
            return Fault("passing", "the login service gave no answer")
        if isinstance(link, GoogleAuthError):
            return Fault("login", "the credentials are expired, revoked or of another kind")
        if isinstance(link, ClientError):
            return Fault("passing", f"the answer cannot be understood ({type(link).__name__})")
    if type(error).__name__ == "EEException":
        return Fault("project" if "no project found" in str(error) else "refused", str(error))
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was raised from or during: the client keeps the status in there only."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _of_answer(status: int, content: bytes, headers: Any) -> Fault:
    message, reasons = _told(content)
    text = f"{message} {reasons}".lower()
    told = f"{message or 'no message'} (status {status})"
    if status == 429 or "resource_exhausted" in text or "ratelimitexceeded" in text or "quotaexceeded" in text:
        return Fault("throttled", told, retry_after=_seconds(headers.get("retry-after")))
    if status in _PASSING:
        return Fault("passing", told, retry_after=_seconds(headers.get("retry-after")))
    if status == 401:
        return Fault("login", told)
    if any(words in text for words in _OF_PROJECTS) or (
        "project" in text and "not found" in text and "asset" not in text
    ):
        return Fault("project", told)
    if status == 404 or "not found" in text:
        # In one breath with this the service also says that the caller may lack access: it does not tell the two apart.
        return Fault("gone", told)
    return Fault("permission" if status == 403 else "refused", told)


def _told(content: bytes) -> tuple[str, str]:
    """Message of an error answer, and its status and reasons in lower case."""
    try:
        error = json.loads(content)["error"]
        details = [str(part.get("reason", "")) for part in error.get("details") or error.get("errors") or []]
        return str(error.get("message", ""))[:300], " ".join([str(error.get("status", "")), *details]).lower()
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; dates, which this service does not send, count as none."""
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
