"""The verbs of the package, as a user of Python reaches them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rsmodels


@pytest.mark.parametrize("name", rsmodels.__all__)
def test_verbs_are_functions_again_and_again(name: str) -> None:
    """Importing the module behind a verb must not put the module in the verb's place."""
    assert callable(getattr(rsmodels, name))
    assert callable(getattr(rsmodels, name))


def test_there_are_no_others() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = rsmodels.trian


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys; from rsmodels.cli.main import app; import rsmodels; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
