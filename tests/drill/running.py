"""Builds in forked children of a warm process: a trial costs the build alone, and starts from a clean slate."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.drill.ground import Reference, faults_at_the_end, faults_between

SHIM = Path(__file__).with_name("shim.c")
WHAT = {"count": 0, "kill": 1, "kill-after": 2, "disk-full": 3, "io-error": 4, "lost-response": 5, "short-write": 6}
PATIENCE_S = 240.0
"""Seconds after which a child counts as hung."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a child."""

    killed: bool
    hung: bool = False
    result: dict[str, Any]
    """What it had to say; empty where it was killed."""


def forked(work: Callable[[], dict[str, Any]], told: Path) -> Ended:
    """Run `work` in a child of its own; what it returns comes back as JSON by the file `told`."""
    told.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            _clean_slate()
            told.write_text(json.dumps(work()))
            status = 0
        except BaseException as error:  # a child must never go on as its parent
            told.write_text(json.dumps({"defect": f"{type(error).__name__}: {error}"[:2000]}))
        finally:
            os._exit(status)
    deadline, hung = time.monotonic() + PATIENCE_S, False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline and not hung:
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    result = json.loads(told.read_text()) if told.exists() and told.stat().st_size else {}
    return Ended(killed=os.WIFSIGNALED(status) and not hung, hung=hung, result=result)


def _clean_slate() -> None:
    """Threads do not come along when a process forks: whoever keeps a pool of them is made to forget it."""
    import dask.threaded

    dask.threaded.default_pool = None
    dask.threaded.pools.clear()


def in_line(work: Any, tasks: Any, engine: Any, *, name: Any) -> Iterator[Any]:
    """Instead of the engine: one shard after the other, so that the n-th operation is the same in every run."""
    from rsprep.job.engine import Done

    for task in tasks:
        try:
            yield Done(task=task, result=work(task), error=None)
        except Exception as error:  # as the engine does
            yield Done(task=task, result=None, error=error)


def built(folder: Path, reference: Reference | None, *options: str, engine: bool = False) -> dict[str, Any]:
    """Run the command on the recipe in `folder` as the program would; its exit code, its words, and what is wrong."""
    import rsprep.job.drive
    from rsprep.cli.main import main
    from rsprep.job.engine import run_all

    quicken()
    rsprep.job.drive.run_all = run_all if engine else in_line  # type: ignore[assignment]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        code = main(["build-multisource", "--config", str(folder / "recipe.yaml"), *options])
    disarm()
    wrong: list[str] = []
    if reference is not None:
        wrong = faults_at_the_end(folder, reference) if code == 0 else faults_between(folder / "chips", reference)
    return {"code": code, "said": said.getvalue()[-6000:], "wrong": wrong}


def quicken() -> None:
    """No long pauses: how long is waited has tests of its own."""
    import rsprep.job.supplies
    import rsprep.sources.catalog_io
    import rsprep.sources.http
    from rsprep.reading.access import ReadPolicy
    from rsprep.sources.http import make_retry

    rsprep.job.supplies.ReadPolicy = partial(  # type: ignore[misc, assignment]
        ReadPolicy, backoff_s=0.01, longest_wait_s=0.05, timeout_s=1.0
    )
    rsprep.sources.catalog_io.make_retry = partial(make_retry, backoff=0.002)
    rsprep.sources.http.PATIENCE = 1


# -- the shim -------------------------------------------------------------------------------------


def compile_shim(folder: Path) -> Path:
    """Compile what sees each operation on the disk; CalledProcessError or FileNotFoundError without a C compiler."""
    library = folder / "shim.so"
    command = [os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O2", "-o", str(library), str(SHIM), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


def arm(below: Path, what: str, at: int, log: Path) -> None:
    """From now on, count what is done below a folder; at operation `at`, `what` befalls it."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ctypes.CDLL(None).drill_arm(
        str(below).encode(), ctypes.c_long(at), ctypes.c_int(WHAT[what]), ctypes.c_int(descriptor)
    )


def disarm() -> None:
    """Nothing befalls anybody any more; nothing at all where the shim is not loaded."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).drill_off()


def armed_build(folder: Path, reference: Reference, what: str, at: int, *options: str) -> dict[str, Any]:
    """Build, and meet a fault of the disk on the way."""
    arm(folder, what, at, folder.with_name(folder.name + ".log"))
    return built(folder, reference, *options)


# -- the server -----------------------------------------------------------------------------------


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Address of a server in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.drill.server", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        assert process.stdin is not None
        process.stdin.close()


def tell(url: str, fault: dict[str, Any]) -> None:
    """What goes wrong from now on."""
    request = urllib.request.Request(f"{url}/-/fault", data=json.dumps(fault).encode(), method="POST")  # noqa: S310
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def seen(url: str) -> dict[str, int]:
    """Requests of each stage since the last fault was told, and how often it struck."""
    with urllib.request.urlopen(f"{url}/-/seen", timeout=30) as answer:  # noqa: S310
        counts: dict[str, int] = json.loads(answer.read())
    return counts
