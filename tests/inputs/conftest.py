"""What all cases read: made once, small, and never changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.inputs.pictures import write_pictures
from tests.inputs.table import Kit
from tests.rsmodels.conftest import build_tiny
from tests.rsmodels.synth.conftest import train_tiny
from tests.rsprep.cli.workplace import write_workplace
from tests.rsprep.corpus.scenes import plant
from tests.rsprep.corpus.skies import plain_sky, plant_sky
from tests.rsprep.store.fixtures import build_small


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sound (all that a build needs), small and tiny (sealed data sets), run (a generator), scenes, sky, pictures."""
    root = tmp_path_factory.mktemp("shared")
    write_workplace(root / "sound")
    build_small(root / "small", n_shards=1)
    plant(root / "scenes")
    plant_sky(root / "sky", plain_sky())
    write_pictures(root / "pictures", np.random.default_rng(7))
    build_tiny(root / "tiny", chips=16)
    train_tiny(root / "tiny", root / "run")
    return root


@pytest.fixture
def kit(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kit:
    """A folder of the case's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return Kit(here=tmp_path, shared=shared)
