"""One server and one bucket for all tests of object stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.bucket import s3_server
from tests.rsprep.job.conftest import tiny, undisturbed

__all__ = ["s3", "tiny", "undisturbed"]


@pytest.fixture(scope="package")
def s3() -> Iterator[str]:
    """The address of a server whose only bucket is named `bucket`; the environment leads there."""
    with s3_server() as url:
        yield url
