"""Plant every bug of the table, one after the other, and see that its own tests find it.

The tests are collected once. Then each bug gets two processes of its own, forked from the one that collected: one in
which its tests run as they are, one in which the bug is planted first. ``python -m tests.planted.run [KEY ...]``
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.planted.planting import Plant
from tests.planted.table import PLANTS
from tests.support import REPOSITORY

LIMIT_S = 600
Ended = list[dict[str, str]]
"""How tests ended, a phase an entry: test, when, outcome, error, cause."""


@dataclass(eq=False)
class Planter:
    """A plugin of pytest that runs the tests of each bug without it and with it."""

    plants: Sequence[Plant]
    missed: list[str] = field(default_factory=list)
    _ended: Ended = field(default_factory=list)

    def pytest_collection(self) -> None:
        """That a bug was found is enough; the smallest example that finds it would take minutes."""
        from hypothesis import Phase, settings  # pytest wants to be the first to import it

        found = settings.get_profile("rsprep")
        settings.register_profile("planted", found, phases=(Phase.explicit, Phase.generate))
        settings.load_profile("planted")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of the loop over all tests."""
        for plant in self.plants:
            begun = time.monotonic()
            items = [item for item in session.items if any(_is(item.nodeid, name) for name in plant.tests)]
            whys = (_not_passed(plant, self._forked(items, None)), _not_found(plant, self._forked(items, plant)))
            self.missed += [plant.key] * any(whys)
            verdict = "MISSED" if any(whys) else "caught"
            print(f"{plant.key:>4}  {verdict}  {time.monotonic() - begun:5.1f} s  {plant.treatment}", flush=True)
            print("".join(f"      {why}\n" for why in whys if why), end="", flush=True)
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the type of the error: a mutant that only breaks is no proof."""
        report = yield
        error = "" if call.excinfo is None else call.excinfo.typename
        cause = "" if call.excinfo is None else (str(call.excinfo.value).splitlines() or [""])[0]
        ended = {"test": item.nodeid, "when": report.when or "", "outcome": report.outcome}
        self._ended.append({**ended, "error": error, "cause": cause})
        return report

    def _forked(self, items: Sequence[pytest.Item], plant: Plant | None) -> Ended:
        """Run `items` in another process, in which the bug is planted."""
        with tempfile.NamedTemporaryFile(prefix="rsprep-planted-") as to:
            child = os.fork()
            if child == 0:  # nothing of this process may run on in the child
                _silenced()
                try:
                    if plant is not None:
                        plant.mutant(pytest.MonkeyPatch())
                    for item, following in zip(items, [*items[1:], None], strict=True):
                        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                except BaseException as error:  # whatever it is, it has to be told
                    told = {"test": "", "when": "planting", "outcome": "broken"}
                    self._ended.append({**told, "error": type(error).__name__, "cause": str(error)})
                finally:
                    Path(to.name).write_text(json.dumps(self._ended), encoding="utf-8")
                    os._exit(0)
            _wait(child)
            found: Ended = json.loads(Path(to.name).read_text(encoding="utf-8") or "[]")
            return found


def _silenced() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def _wait(child: int) -> None:
    end = time.monotonic() + LIMIT_S
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def _is(test: str, name: str) -> bool:
    """Whether a test is the one of this name, or one of its parameters."""
    return test == name or test.startswith(f"{name}[")


def _not_passed(plant: Plant, ended: Ended) -> str:
    """Why the tests do not pass without the bug; empty where they do."""
    for one in ended:
        if one["outcome"] != "passed":
            return f"without it, {one['test']} {one['outcome']} in {one['when']}: {one['error']} {one['cause']}"
    return next((f"{name} did not run" for name in plant.tests if not any(_is(o["test"], name) for o in ended)), "")


def _not_found(plant: Plant, ended: Ended) -> str:
    """Why the tests did not find the bug, or not for the right reason; empty where they did."""
    failed = [one for one in ended if one["outcome"] != "passed"]
    for one in failed:
        if one["error"] not in plant.fails:
            return f"{one['test']} ended with {one['error']}: {one['cause']}"
    return next((f"{name} did not notice" for name in plant.tests if not any(_is(o["test"], name) for o in failed)), "")


def run(plants: Sequence[Plant]) -> list[str]:
    """Judge these bugs, and tell of each; the keys of those that were missed.

    Raises
    ------
    RuntimeError : the tests could not be collected.
    """
    planter = Planter(plants)
    tests = dict.fromkeys(test for plant in plants for test in plant.tests)
    with tempfile.TemporaryDirectory(prefix="rsprep-planted-") as folder:
        options = ["-q", "-s", "--no-header", "--no-summary", "-p", "no:cacheprovider", f"--basetemp={folder}/made"]
        code = pytest.main([*options, f"--rootdir={REPOSITORY}", *tests], plugins=[planter])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"the tests could not be collected: {code!r}")
    return planter.missed


def main() -> int:
    """Judge all, or those that are named, and write the page where all were found."""
    from tests.planted.page import write_page

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("keys", nargs="*", help="bugs to plant, such as 2b, or rows; all by default")
    chosen = set(parser.parse_args().keys)
    unknown = chosen - {plant.key for plant in PLANTS} - {str(plant.row) for plant in PLANTS}
    if unknown:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    os.chdir(REPOSITORY)
    missed = run([plant for plant in PLANTS if not chosen or {plant.key, str(plant.row)} & chosen])
    print(f"{len(missed)} missed {' '.join(missed)}".rstrip())
    if not chosen and not missed:
        write_page()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
