"""The limiter holds for threads, processes and for whoever is left when one is killed."""

from __future__ import annotations

import fcntl
import itertools
import multiprocessing
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rsprep.errors import ConfigError
from rsprep.sources.earthengine.limiter import PACE_FILE, Limiter

WORKERS = 16
EVENT = struct.Struct("<dd")
"""When a slot was had, and when it was let go; `time.monotonic`, which all processes of a machine share."""


def hold(limiter: Limiter, seconds: float) -> tuple[float, float]:
    with limiter.slot():
        began = time.monotonic()
        time.sleep(seconds)
        return began, time.monotonic()


def work(limiter: Limiter, times: int, seconds: float, log: Path) -> None:
    """What a process of the test does."""
    for _ in range(times):
        event = EVENT.pack(*hold(limiter, seconds))
        with log.open("ab") as file:  # one write below PIPE_BUF with O_APPEND is not torn
            file.write(event)


def most_at_once(events: Sequence[tuple[float, float]]) -> int:
    steps = sorted(
        [(began, 1) for began, _ in events] + [(ended, -1) for _, ended in events], key=lambda s: (s[0], s[1])
    )
    running = most = 0
    for _, step in steps:
        running += step
        most = max(most, running)
    return most


def most_in_a_second(starts: Sequence[float]) -> int:
    return max(sum(start <= other < start + 0.999 for other in starts) for start in starts)


def test_sixteen_threads_stay_under_the_limit(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=5, per_second=1000)
    with ThreadPoolExecutor(WORKERS) as pool:
        events = list(pool.map(lambda _: hold(limiter, 0.01), range(80)))
    assert most_at_once(events) == 5  # not less either: slots that are free are used


def test_sixteen_processes_stay_under_the_limit(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path / "slots", concurrent=5, per_second=1000)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    log = tmp_path / "log"
    processes = [context.Process(target=work, args=(limiter, 4, 0.01, log)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    events = list(EVENT.iter_unpack(log.read_bytes()))
    assert len(events) == 4 * WORKERS
    assert most_at_once(events) <= 5


def test_the_pace_is_kept(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=8, per_second=60)

    def begin(_: int) -> tuple[float, float]:
        with limiter.slot() as promised:
            return promised, time.time()

    with ThreadPoolExecutor(WORKERS) as pool:
        moments = sorted(pool.map(begin, range(90)))
    promised = [first for first, _ in moments]
    gaps = [later - earlier for earlier, later in itertools.pairwise(promised)]
    assert min(gaps) > 1 / 60 - 1e-4
    assert most_in_a_second(promised) <= 60
    assert all(actual >= wanted - 1e-3 for wanted, actual in moments)


def test_a_killed_process_frees_its_slot(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=1, per_second=1000)
    code = (
        "import time; from pathlib import Path; from rsprep.sources.earthengine.limiter import Limiter\n"
        f"with Limiter(folder=Path({str(tmp_path)!r}), concurrent=1, per_second=1000).slot():\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(hold, limiter, 0.0)
            time.sleep(0.1)
            assert not waiting.done()
            os.kill(process.pid, signal.SIGKILL)
            waiting.result(timeout=10)


def test_an_error_within_frees_the_slot(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=1, per_second=1000)
    for _ in range(3):
        with pytest.raises(KeyError), limiter.slot():
            raise KeyError
    hold(limiter, 0.0)


def test_a_clock_that_was_set_back_does_not_park_the_build(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=4, per_second=100)
    (tmp_path / PACE_FILE).write_bytes(struct.pack("<d", time.time() + 3600))
    began = time.monotonic()
    hold(limiter, 0.0)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("stamp", [b"", b"xx", struct.pack("<d", float("nan"))])
def test_a_torn_pace_file_is_begun_anew(tmp_path: Path, stamp: bytes) -> None:
    (tmp_path / PACE_FILE).write_bytes(stamp)
    hold(Limiter(folder=tmp_path, concurrent=4, per_second=100), 0.0)


def test_without_a_folder_the_limit_holds_in_the_process() -> None:
    limiter = Limiter(folder=None, concurrent=2, per_second=1000)
    with ThreadPoolExecutor(8) as pool:
        events = list(pool.map(lambda _: hold(limiter, 0.01), range(12)))
    assert most_at_once(events) == 2


def test_it_travels_as_its_settings(tmp_path: Path) -> None:
    limiter = Limiter(folder=tmp_path, concurrent=2, per_second=10)
    with limiter.slot():
        assert pickle.loads(pickle.dumps(limiter)) == limiter  # noqa: S301 - our own


def test_a_folder_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(ConfigError, match="no-file-locks"):
        Limiter(folder=tmp_path, concurrent=2, per_second=10).check()


def test_limits_are_positive() -> None:
    for wrong in ({"concurrent": 0, "per_second": 1.0}, {"concurrent": 1, "per_second": 0.0}):
        with pytest.raises(ValueError, match="positive"):
            Limiter(folder=None, **wrong)  # type: ignore[arg-type]
