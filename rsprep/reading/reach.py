"""What a catalog may make us open: its hrefs are words of strangers, and so are redirects and answers of name servers.

Files are opened below the folders of the catalog alone, addresses on the hosts that its definition names. The address
that a name stands for is looked at when the connection is made (:mod:`rsprep.reading.doors`), not before: a name server
may answer otherwise the next time.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from rsprep.errors import CatalogError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HOST_PATTERN = r"^(\*\.)?[a-z0-9][a-z0-9.-]*$"
"""A host, or ``*.suffix`` for all below it."""
SERVICES = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
"""Where clouds tell their machines who they are and what they may do; that of most is link-local."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Hosts and folders that may be read. Pickles; holds no secret."""

    hosts: tuple[str, ...] = ()
    """Names, or ``*.suffix``."""
    roots: tuple[str, ...] = ()
    """Folders, absolute and with links resolved, below which local files may lie."""
    asked: tuple[str, ...] = ()
    """Hosts written as an address of this machine or of a private network by whoever runs the program."""
    allow_private: bool = False
    """True: every one of `hosts` may lie in a private network."""
    allow_http: bool = False
    """True: every one of `hosts` may be asked without encryption; `asked` ones always."""

    def check(self, href: str) -> None:
        """See that `href` may be opened, as far as its text tells.

        Raises
        ------
        CatalogError : ``odd-address``, ``host-off-list``, ``plain-http``, ``private-address`` or ``outside-root``.
        """
        parts = urlsplit(href)
        if parts.scheme.lower() in ("http", "https"):
            self._check_url(href, parts.scheme.lower())
        else:
            self.local(href)

    def local(self, href: str) -> Path:
        """Path of a local href, links resolved; raises CatalogError ``outside-root``."""
        parts = urlsplit(href)
        if "\x00" in href or href.startswith("/vsi") or (parts.scheme not in ("", "file") or parts.netloc):
            raise _odd(href)
        path = Path(unquote(parts.path) if parts.scheme == "file" else href)
        found = path.resolve()
        if not any(found.is_relative_to(root) for root in self.roots):
            raise CatalogError(
                "outside-root",
                "the file lies outside the catalog's folder"
                if self.roots
                else "a catalog on a server cannot name files of this machine",
                value=str(path) if found == path else f"{path} -> {found}",
                remedy="if it is meant, name its folder under `folders` in a copy of the source definition",
            )
        return found

    def may_be_private(self, host: str) -> bool:
        """Whether `host` may stand for an address of this machine or of a private network."""
        return host in self.asked or (self.allow_private and self._listed(host))

    def _listed(self, host: str) -> bool:
        return host in self.asked or any(
            host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])) for pattern in self.hosts
        )

    def _check_url(self, href: str, scheme: str) -> None:
        host = host_of(href)
        if not self._listed(host):
            raise CatalogError(
                "host-off-list",
                f"{host} is not among the hosts that this source may be read from",
                value=href,
                remedy=f"if you trust it, add `hosts: [{host}]` to a copy of the source definition",
            )
        if scheme == "http" and not (self.allow_http or host in self.asked):
            raise CatalogError(
                "plain-http",
                f"what {host} sends could be changed on the way: http is not read",
                value=href,
                remedy="use https; or add `allow_http: true` to a copy of the source definition",
            )
        address = literal(host)
        if address is not None:
            check_address(address, host, private=self.may_be_private(host))


def reach(
    places: Iterable[str],
    *,
    hosts: Iterable[str] = (),
    folders: Iterable[str] = (),
    allow_private: bool = False,
    allow_http: bool = False,
) -> Reach:
    """What may be read where the user named `places`: addresses, each with its host, and files, each with its folder.

    Raises
    ------
    CatalogError : ``odd-address``.
    """
    listed, asked, roots = list(hosts), [], [str(Path(folder).expanduser().resolve()) for folder in folders]
    for place in places:
        if urlsplit(place).scheme.lower() in ("http", "https"):
            host = host_of(place)
            listed.append(host)
            address = literal(host)
            if host == "localhost" or (address is not None and not address.is_global):
                asked.append(host)
        else:
            path = Path(unquote(urlsplit(place).path) if place.startswith("file:") else place).resolve()
            roots.append(str(path if path.is_dir() else path.parent))
    return Reach(
        hosts=tuple(dict.fromkeys(listed)),
        roots=tuple(dict.fromkeys(roots)),
        asked=tuple(dict.fromkeys(asked)),
        allow_private=allow_private,
        allow_http=allow_http,
    )


def host_of(href: str) -> str:
    """The host of an address, in small letters; CatalogError ``odd-address`` where two readers could differ on it."""
    try:
        parts = urlsplit(href)
        host, again = (parts.hostname or "").rstrip("."), parse_url(href).host
        odd = parts.username is not None or parts.password is not None or parts.port == 0
    except (ValueError, LocationParseError):
        raise _odd(href) from None
    same = (again or "").strip("[]").lower().rstrip(".") == host
    if not host or not same or odd or not host.isascii() or "%" in host or _NOT_IN_A_URL.search(href):
        raise _odd(href)
    return host


def literal(host: str) -> Address | None:
    """The address that `host` is written as; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_address(address: Address, host: str, *, private: bool) -> None:
    """See that a connection to `address` may be made.

    Parameters
    ----------
    private : True: this machine and private networks are meant. Link-local addresses and those where clouds hand out
        credentials never are.

    Raises
    ------
    CatalogError : ``private-address``.
    """
    for one in (address, *_inner(address)):
        never = one.is_link_local or one.is_multicast or one.is_unspecified or one in SERVICES
        if never or (not one.is_global and not private):
            raise CatalogError(
                "private-address",
                f"{host} is at {address}, which is "
                + ("never a server of data" if never else "on this machine or in a private network"),
                value=str(address),
                remedy="the catalog is wrong, or worse"
                if never
                else "if it is yours, add `allow_private: true` to a copy of the source definition",
            )


def _inner(address: Address) -> list[Address]:
    """Addresses of version 4 that one of version 6 leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def _odd(href: str) -> CatalogError:
    return CatalogError(
        "odd-address",
        "this is no plain address of a file",
        value=href,
        remedy="https://host/path, or a path; without name and password",
    )
