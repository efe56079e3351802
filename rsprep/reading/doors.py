"""Connections that look at the address before they are made: what was judged is what is connected to.

Looking a name up first and leaving the connection to look it up again would let a name server answer twice.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import cache
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError
from urllib3.util.connection import allowed_gai_family

from rsprep.reading.reach import check_address


class _Vetted:
    """A connection's way to its socket; `private` as :func:`rsprep.reading.reach.check_address` has it."""

    private = False

    def _new_conn(self) -> socket.socket:
        connection: Any = self
        host = connection._dns_host
        try:
            found = socket.getaddrinfo(host.strip("[]"), connection.port, allowed_gai_family(), socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            said = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(host, connection, said) from error
        addresses = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
        for address in addresses:
            check_address(address, host, private=self.private)
        failed: Exception | None = None
        for address in dict.fromkeys(addresses):
            try:
                connection._dns_host = str(address)
                return super()._new_conn()  # type: ignore[misc,no-any-return]  # of the connection this is mixed into
            except urllib3.exceptions.HTTPError as error:
                failed = error
            finally:
                connection._dns_host = host  # what the certificate is compared with
        raise failed or NameResolutionError(host, connection, socket.gaierror("the name has no address"))


@cache
def pool_classes(private: bool) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """What a pool manager makes its pools of, by scheme."""
    plain = type("VettedHTTPConnection", (_Vetted, HTTPConnection), {"private": private})
    secure = type("VettedHTTPSConnection", (_Vetted, HTTPSConnection), {"private": private})
    return {
        "http": type("VettedHTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("VettedHTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


def guard(manager: urllib3.PoolManager, *, private: bool) -> urllib3.PoolManager:
    """`manager`, whose connections to come look at addresses. Not for one of a proxy, which resolves names itself."""
    manager.pool_classes_by_scheme = pool_classes(private)
    return manager
