"""A few seeded trials and kills of the fault drill; ``make drill`` holds them all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drill.table import markdown, summary
from tests.drill.trials import all_trials
from tests.rsprep.job.tiny import REPOSITORY, environment

TRIALS, KILLS = 5, 5


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None or sys.platform != "linux", reason="needs cc")
def test_faults_and_kills_end_identical_or_loud(tmp_path: Path) -> None:
    """Pitfalls 4, 6 and 7, and every death of a process."""
    command = [sys.executable, "-m", "tests.drill", "--out", str(tmp_path), "--seed", "7"]
    command += ["--sample", str(TRIALS), "--kills", str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, env=environment(), timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads((tmp_path / "drill.json").read_text())
    assert told["trials"] == TRIALS
    assert told["kills"] >= KILLS
    assert told["failed"] == []
    assert "| all |" in (tmp_path / "drill.md").read_text()


def test_the_drill_is_as_large_as_it_says() -> None:
    trials = list(all_trials(range(3), range(5)))
    assert len(trials) == len({trial.name for trial in trials}) >= 280


def test_what_fails_is_told() -> None:
    trial = {"fault": "500", "stage": "block", "lasts": False, "seed": 0}
    records = [
        {"name": "a", "trial": trial, "verdict": verdict, "reason": "", "wrong": []} for verdict in ("loud", "failed")
    ]
    told = summary(records, [{"name": "kill-3", "kills": [{"stage": "seal", "call": "write"}], "wrong": ["lost: x"]}])
    assert [one["name"] for one in told["failed"]] == ["a", "kill-3"]
    assert "| block | 500 |  | 1 |  | 1 |" in markdown(told)
