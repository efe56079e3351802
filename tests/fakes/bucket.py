"""A bucket on this machine: moto's S3 server in a thread, reached like any other through the environment."""

from __future__ import annotations

import itertools
import logging
import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rsprep.cloud import objects

KEY = "canary-key-id"
SECRET = "canary-secret-that-nothing-may-keep"  # noqa: S105  # of nothing


@contextmanager
def s3_server(bucket: str = "bucket") -> Iterator[str]:
    """Serve S3, set the environment to it, and make a bucket; gives the address of the server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    settings = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    objects.client.cache_clear()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT"), timeout=30):  # noqa: S310
            pass
        yield url
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        objects.client.cache_clear()
        server.stop()


@contextmanager
def outage(after: int) -> Iterator[None]:
    """The first `after` writes and deletions arrive, and then no more."""
    import obstore
    from obstore.exceptions import GenericError

    count = itertools.count()

    def require_power() -> None:
        if next(count) >= after:
            raise GenericError("the power is out")

    def now(work: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **options: Any) -> Any:
            require_power()
            return work(*arguments, **options)

        return done

    def later(work: Callable[..., Any]) -> Callable[..., Any]:
        async def done(*arguments: Any, **options: Any) -> Any:
            require_power()
            return await work(*arguments, **options)

        return done

    with pytest.MonkeyPatch.context() as patched:
        for name in ("put", "delete"):
            patched.setattr(obstore, name, now(getattr(obstore, name)))
            patched.setattr(obstore, f"{name}_async", later(getattr(obstore, f"{name}_async")))
        yield
