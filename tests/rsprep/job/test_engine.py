"""Where tasks run makes no difference to what they give; a cluster that is wrong, or lost, is told by name."""

from __future__ import annotations

import dataclasses
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from odc.geo.geobox import GeoBox

import rsprep
from rsprep.config import Engine, make_config
from rsprep.errors import BuildError, ConfigError, ReadError
from rsprep.granule import Asset
from rsprep.job import engine as engine_module
from rsprep.job.engine import describe_failure, run_all
from rsprep.job.journal import Journal
from rsprep.job.journal_view import JournalView
from rsprep.job.plan import make_plan
from rsprep.job.records import ShardResult
from rsprep.job.shard import ShardTask
from tests.rsprep.job.conftest import Undisturbed
from tests.rsprep.job.test_kill import check_equal
from tests.rsprep.job.tiny import TinySource, environment

THREADS = Engine(scheduler="threads", workers=2)


def halve(number: int) -> float:
    if number % 2:
        raise ReadError("odd", f"{number} is odd", remedy="give an even one")
    return number / 2


def label(number: int) -> str:
    return f"task-{number}"


def test_every_task_comes_back_once_with_its_result_or_its_error() -> None:
    done = {one.task: one for one in run_all(halve, range(20), THREADS, name=label)}
    assert {task: one.result for task, one in done.items() if one.error is None} == {n: n / 2 for n in range(0, 20, 2)}
    assert all(isinstance(done[n].error, ReadError) for n in range(1, 20, 2))
    assert list(run_all(halve, [], THREADS, name=label)) == []


def test_tasks_are_made_a_few_at_a_time() -> None:
    """Neither the graph nor the plan in memory grows with the job."""
    made = 0
    ahead = []

    def tasks() -> Iterator[int]:
        nonlocal made
        for number in range(0, 60, 2):
            made += 1
            yield number

    for back, _ in enumerate(run_all(halve, tasks(), THREADS, name=label), start=1):
        ahead.append(made - back)
    assert max(ahead) <= THREADS.workers * engine_module.TASKS_PER_WORKER


def test_leaving_early_stops_the_workers() -> None:
    with closing(run_all(halve, range(0, 40, 2), Engine(scheduler="processes", workers=1), name=label)) as results:
        next(results)
        family = psutil.Process().children(recursive=True)
        assert [one for one in family if "spawn_main" in " ".join(one.cmdline())]
    assert not [one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]


def test_a_failure_is_one_line() -> None:
    assert describe_failure(ReadError("gave-up", "no answer", value=7, remedy="wait")) == "read/gave-up: no answer"
    with pytest.raises(ValueError) as caught:
        raise ValueError("first\nsecond")
    assert describe_failure(caught.value).startswith("ValueError: first (test_engine.py, line ")
    assert describe_failure(ValueError()) == "ValueError: no message"


def test_a_task_is_light_even_with_years_of_granules(tiny: TinySource, tmp_path: Path) -> None:
    """Definition and settings travel with every task, and so do 13 hrefs a granule."""
    plan = make_plan(make_config(tiny.settings(tmp_path)))
    task = next(plan.tasks(iter(plan.cut().shards), str(tmp_path), "token"))
    again = pickle.loads(pickle.dumps(task))  # noqa: S301  # our own bytes
    for name in ("shard", "config", "supplies", "granules", "sea", "store", "token"):
        assert getattr(again, name) == getattr(task, name)
    assert again.schema.to_json() == task.schema.to_json()
    assert len(pickle.dumps(task)) < 10_000
    assert len(pickle.dumps(with_granules(task, 150))) < 100_000


def with_granules(task: ShardTask, count: int) -> ShardTask:
    first = task.granules["sentinel2"][0]
    grid = first.assets["B04"].grid
    assert grid is not None

    def asset(day: int, band: int) -> Asset:
        folder = f"https://data.example/sentinel-2-l2a-cogs/33/U/WP/2021/{day}/S2A_33UWP_{20210000 + day}_0_L2A"
        checksum = f"1220{hash((day, band)) & (1 << 256) - 1:064x}"
        return Asset(
            href=f"{folder}/B{band:02d}.tif",
            grid=GeoBox((10980, 10980), grid.affine, str(grid.crs)),
            size=10**8 + 997 * band + day,
            checksum=checksum,
        )

    many = tuple(
        dataclasses.replace(first, id=f"S2A_{day}", assets={f"B{band:02d}": asset(day, band) for band in range(13)})
        for day in range(count)
    )
    return dataclasses.replace(task, granules={**task.granules, "sentinel2": many})


# -- a cluster of its own -------------------------------------------------------------------------


@dataclasses.dataclass
class Cluster:
    """A Dask scheduler and its workers, in a folder and a home that are not ours."""

    folder: Path
    stack: ExitStack
    address: str = ""
    scheduler: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the scheduler on any free port."""
        place = self.folder / "address.json"
        self.scheduler = self._run(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place)
        )
        wait_for(lambda: place.exists() and place.stat().st_size > 0)
        self.address = f"tcp://127.0.0.1:{read_port(place)}"

    def add_worker(self, prelude: str = "") -> None:
        """Start one worker; `prelude` runs in it before anything else."""
        options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", str(self.folder)]
        self._run("dask_worker", self.address, *options, prelude=prelude)

    def workers_are(self, count: int) -> None:
        """Wait until so many have come."""
        from distributed import Client

        with Client(self.address) as client:
            wait_for(lambda: len(client.nthreads()) == count)

    def _run(self, program: str, *arguments: str, prelude: str = "") -> subprocess.Popen[bytes]:
        code = f"import sys; {prelude}\nfrom distributed.cli.{program} import main; main()"
        log = self.stack.enter_context((self.folder / f"{program}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env=environment(HOME=str(self.folder / "home")),
            stdout=log,
            stderr=log,
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the cluster does not come up"
        time.sleep(0.02)


def read_port(place: Path) -> int:
    return int(json.loads(place.read_text())["address"].rsplit(":", 1)[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "elsewhere"
    (folder / "home").mkdir(parents=True)
    with ExitStack() as stack:
        one = Cluster(folder, stack)
        one.start()
        yield one


def test_a_running_cluster_builds_the_same_data_set_until_it_is_lost(
    cluster: Cluster, tiny: TinySource, undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers need the packages and the store: no working directory, no home, no catalog in common with us.

    One cluster serves all of this test, for the seconds that it takes to come up.
    """
    cluster.add_worker()
    cluster.add_worker()
    cluster.workers_are(2)
    monkeypatch.chdir(tmp_path)  # a relative --out is ours, not the workers'
    rsprep.build(tiny.settings(tmp_path, out="chips", engine={"scheduler": cluster.address}))
    check_equal(tmp_path, undisturbed)
    keeps_two_builds_apart(Engine(scheduler=cluster.address))
    lost = tmp_path / "lost"
    loses_nothing_with_its_scheduler(cluster, tiny.settings(lost, engine={"scheduler": cluster.address}))
    rsprep.build(tiny.settings(lost))
    check_equal(lost, undisturbed)


def keeps_two_builds_apart(remote: Engine) -> None:
    """Data sets over one area have shards of the same names; each build must get its own results."""
    names = {2: "shard-1", 4: "shard-2", -3: "shard-1", -5: "shard-2"}
    with closing(run_all(halve, [2, 4], remote, name=names.__getitem__)) as first:
        one = next(first)  # the other result is on the cluster, under its shard's name
        others = {done.task: done.result for done in run_all(abs, [-3, -5], remote, name=names.__getitem__)}
        both = {done.task: done.result for done in (one, next(first))}
    assert both == {2: 1, 4: 2}
    assert others == {-3: 3, -5: 5}


def loses_nothing_with_its_scheduler(cluster: Cluster, settings: dict[str, Any]) -> None:
    """What is finished stays, the rest is pending, and the error has a name."""
    commit = Journal.commit

    def losing(self: Journal, result: ShardResult) -> None:
        commit(self, result)
        assert cluster.scheduler is not None
        cluster.scheduler.kill()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "commit", losing)
        with pytest.raises(BuildError, match="build/scheduler-lost"):
            rsprep.build(settings)
    with JournalView.open(settings["out"]) as journal:
        counts = journal.counts()
    assert counts.balanced
    assert counts.pending
    assert counts.quarantined == 0


def test_a_cluster_that_cannot_serve_is_refused_by_name(cluster: Cluster) -> None:
    remote = Engine(scheduler=cluster.address)
    with pytest.raises(ConfigError, match="config/no-workers"):
        list(run_all(halve, [2], remote, name=label))
    cluster.add_worker(prelude="sys.modules['rsprep'] = None")
    cluster.workers_are(1)
    with pytest.raises(ConfigError, match="config/version-mismatch"):
        list(run_all(halve, [2], remote, name=label))


def test_workers_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, processes=False, protocol="tcp", dashboard_address=None) as cluster:
        monkeypatch.setattr(engine_module, "_worker_version", str)  # what an older release would answer
        with pytest.raises(ConfigError, match="config/version-mismatch"):
            list(run_all(halve, [2], Engine(scheduler=cluster.scheduler_address), name=label))


def test_no_scheduler_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CONNECT_TIMEOUT", "500ms")
    with pytest.raises(ConfigError, match="config/no-scheduler"):
        list(run_all(halve, [2], Engine(scheduler="tcp://127.0.0.1:9"), name=label))
