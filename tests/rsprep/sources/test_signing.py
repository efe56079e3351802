from __future__ import annotations

import datetime as dt
import pickle
import threading
from collections.abc import Iterator

import pytest

from rsprep.errors import ReadError
from rsprep.reading.access import NoSigning
from rsprep.sources import signing
from rsprep.sources.definition import PLANETARY_COMPUTER, TokenService
from rsprep.sources.http import MAX_WAIT, make_retry
from rsprep.sources.signing import TokenCache, TokenSigner, make_signer, redact, strip_signature
from tests.rsprep.sources.making import Server, serving

HREF = "https://account.blob.core.windows.net/box/a/b.tif"
PATH = "/token/account/box"
START = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def service() -> Iterator[Server]:
    with serving() as server:
        yield server


def _token(number: int, minutes: float) -> tuple[int, object]:
    expires = (START + dt.timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return 200, {"msft:expiry": expires, "token": f"se=x&sig=SECRET{number}"}


def _tokens(service: Server) -> TokenService:
    return TokenService(service=f"{service.url}/token", hosts=PLANETARY_COMPUTER.hosts)


def _signer(service: Server, clock: Clock) -> TokenSigner:
    return TokenSigner(_tokens(service), cache=TokenCache(), clock=clock)


def test_a_token_is_kept_until_five_minutes_before_its_end(service: Server) -> None:
    """Pitfall 5: with the clock 50 minutes on, an href is signed with a fresh token."""
    service.tell(PATH, _token(1, 45), _token(2, 95))
    clock = Clock()
    signer = _signer(service, clock)
    assert signer.sign(HREF) == f"{HREF}?se=x&sig=SECRET1"
    clock.now += dt.timedelta(minutes=39.9)
    assert signer.sign(HREF).endswith("SECRET1")
    assert len(service.asked) == 1
    clock.now = START + dt.timedelta(minutes=40)
    assert signer.sign(HREF).endswith("SECRET2")
    clock.now = START + dt.timedelta(minutes=50)
    assert signer.sign(HREF).endswith("SECRET2")
    assert len(service.asked) == 2


def test_any_host_may_be_signed_for(service: Server) -> None:
    """The interface is what counts, not the address: an account is the host, or what its ``*`` stands for."""
    tokens = TokenService(service=f"{service.url}/token/", hosts=("files.example.org", "*.store.org"))
    signer = TokenSigner(tokens, cache=TokenCache(), clock=Clock())
    service.tell("/token/files.example.org/box", _token(1, 45))
    service.tell("/token/eu/box", _token(2, 45))
    assert signer.sign("https://files.example.org:8443/box/a.tif?old=1").endswith(":8443/box/a.tif?se=x&sig=SECRET1")
    assert signer.sign("https://eu.store.org/box/a.tif").endswith("?se=x&sig=SECRET2")
    assert signer.sign(HREF) == HREF
    assert strip_signature("https://eu.store.org/box/a.tif?sig=OLD", tokens) == "https://eu.store.org/box/a.tif"
    assert strip_signature(f"{HREF}?v=2", tokens) == f"{HREF}?v=2"
    assert strip_signature(f"{HREF}?v=2", None) == f"{HREF}?v=2"


def test_a_refused_href_is_renewed_once_for_all_threads(service: Server) -> None:
    """Pitfall 5: sign again on 403; of eight threads refused together only one asks for a token."""
    service.tell(PATH, _token(1, 45), _token(2, 45), _token(3, 45))
    signer = _signer(service, Clock())
    refused = signer.sign(HREF)
    fresh: list[str] = []
    threads = [threading.Thread(target=lambda: fresh.append(signer.renew(refused))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fresh == [f"{HREF}?se=x&sig=SECRET2"] * 8
    assert len(service.asked) == 2


def test_containers_have_tokens_of_their_own(service: Server) -> None:
    service.tell(PATH, _token(1, 45))
    service.tell("/token/account/other", _token(2, 45))
    signer = _signer(service, Clock())
    assert signer.sign(HREF).endswith("SECRET1")
    assert signer.sign(HREF.replace("/box/", "/other/")).endswith("SECRET2")


def test_an_href_that_is_signed_already_is_signed_anew(service: Server) -> None:
    service.tell(PATH, _token(1, 45))
    assert _signer(service, Clock()).sign(f"{HREF}?sig=OLD") == f"{HREF}?se=x&sig=SECRET1"


@pytest.mark.parametrize(
    "href",
    [
        "/data/a.tif",
        "https://elsewhere.org/box/a.tif?x=1",
        "https://x.blob.core.windows.net/",
        "https://blob.core.windows.net/box/a.tif",
        "https://x.blob.core.windows.net.elsewhere.org/box/a.tif",
        "https://elsewhere.org/x.blob.core.windows.net/a.tif",
    ],
)
def test_other_hrefs_are_left_alone(href: str) -> None:
    nowhere = TokenService(service="http://127.0.0.1:9/token", hosts=PLANETARY_COMPUTER.hosts)
    signer = TokenSigner(nowhere, cache=TokenCache())
    assert signer.sign(href) == href
    assert signer.renew(href) == href


def test_no_secret_is_seen_or_travels(service: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pitfall 5: tokens are found in no repr, no pickle; the copy asks for itself."""
    monkeypatch.setattr(signing, "_PROCESS", TokenCache())
    service.tell(PATH, (200, {"msft:expiry": "2999-01-01T00:00:00Z", "token": "sig=SECRET"}))
    signer = TokenSigner(_tokens(service))
    assert "SECRET" in signer.sign(HREF)
    assert "SECRET" not in repr(signer) + str(signer) + repr(signing._PROCESS.tokens)
    travelling = pickle.dumps(signer)
    assert b"SECRET" not in travelling
    copy = pickle.loads(travelling)  # noqa: S301 - made two lines above
    assert copy.sign(HREF) == signer.sign(HREF)
    assert len(service.asked) == 1, "signers of one process share its tokens"


@pytest.mark.parametrize(
    "answer",
    [{}, [], {"token": "sig=SECRET"}, {"token": "", "msft:expiry": "2999-01-01T00:00:00Z"},
     {"token": "sig=SECRET", "msft:expiry": "2999-01-01T00:00:00"}, {"token": "sig=SECRET", "msft:expiry": 5}],
)  # fmt: skip
def test_an_answer_that_is_no_token_is_an_error_without_secrets(service: Server, answer: object) -> None:
    service.tell(PATH, (200, answer))
    with pytest.raises(ReadError) as caught:
        _signer(service, Clock()).sign(HREF)
    assert caught.value.slug == "bad-token"
    assert "SECRET" not in str(caught.value) + repr(caught.value)


def test_a_service_that_fails_once_is_asked_again(service: Server) -> None:
    """Pitfall 6: 503 seen once is retried."""
    service.tell(PATH, (503, b"busy"), _token(1, 45))
    assert _signer(service, Clock()).sign(HREF).endswith("SECRET1")


def test_a_service_that_refuses_is_an_error(service: Server) -> None:
    service.tell(PATH, (403, b"no"))
    with pytest.raises(ReadError) as caught:
        _signer(service, Clock()).sign(HREF)
    assert caught.value.slug == "token-service"
    assert caught.value.exit_code == 1


def test_redaction_hides_signatures_and_keeps_the_place() -> None:
    text = redact(f"GET {HREF}?se=x&sig=SE%2FCRET&sp=r failed, 'sig=SECRET'")
    assert "SECRET" not in text
    assert "CRET" not in text
    assert HREF in text
    assert redact("https://a.org/b?x=1 design=y") == "https://a.org/b?x=1 design=y"


def test_definitions_choose_their_signer() -> None:
    assert isinstance(make_signer(None), NoSigning)
    assert isinstance(make_signer(PLANETARY_COMPUTER), TokenSigner)
    assert NoSigning().renew(NoSigning().sign(HREF)) == HREF


def test_a_server_cannot_park_a_request_for_ever() -> None:
    class Answer:
        headers = {"Retry-After": "86400"}  # noqa: RUF012 - a stand-in for one attribute

    retry = make_retry()
    assert retry.get_retry_after(Answer()) == MAX_WAIT  # type: ignore[arg-type] # only headers are looked at
    assert retry.increment("POST", "/search", error=OSError()).allowed_methods is None
