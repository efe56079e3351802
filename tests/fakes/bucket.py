"""A bucket on this machine: moto's S3 server in a thread, reached like any other through the environment."""

from __future__ import annotations

import logging
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

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
