"""The table of bad inputs, and that of odd but valid ones. A case is one line in the module of its group.

A bad input is a command line on a folder in which one thing is wrong: it ends with exit code 2 and an error that has a
name, a cause and a remedy, shows the value that was offered, and leaves every file as it was. An odd input is one that
a careless check would refuse: the case states the one fact that shows that it was understood.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.rsprep.cli.workplace import Workplace

Program = Literal["rsprep", "rsmodels"]


@dataclass(frozen=True, kw_only=True)
class Kit:
    """Sound inputs that cases begin from: shared ones, which nobody changes, and a folder of the case's own."""

    here: Path
    """The case's own folder, and the current one."""
    shared: Path
    """What all cases read: see :mod:`tests.inputs.conftest`."""

    @property
    def sound(self) -> Workplace:
        """Everything that a build needs; not to be changed."""
        return Workplace(root=self.shared / "sound")

    @cached_property
    def place(self) -> Workplace:
        """The same in the case's own folder, to be spoilt."""
        shutil.rmtree(self.here / "place", ignore_errors=True)
        return self.sound.copy_to(self.here / "place")

    def build(self, *more: str) -> list[str]:
        """A build of the sound inputs in this folder, told but not done."""
        config = ["--config", str(self.sound.recipe), "--out", "chips", "--catalog", "catalog"]
        return ["build-multisource", *config, "--dry-run", *more]

    def build_place(self, *more: str) -> list[str]:
        """The same of what was spoilt."""
        return [*self.place.arguments(), "--dry-run", *more]

    def write(self, name: str, content: object) -> str:
        """A file with bytes, text, or anything else as JSON or YAML; returns its name."""
        path = self.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_text(yaml.safe_dump(content) if path.suffix == ".yaml" else json.dumps(content))
        return name

    def copy(self, name: str) -> Path:
        """One of the shared folders in the case's own, to be spoilt."""
        return Path(shutil.copytree(self.shared / name, self.here / Path(name).name))


Make = Callable[[Kit], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Bad:
    """An input that is refused."""

    group: str
    title: str
    name: str
    """The error's name."""
    shown: str
    """What the message shows of the offered value."""
    make: Make
    """Makes the input and gives the command line."""
    program: Program = "rsprep"


@dataclass(frozen=True, kw_only=True)
class Odd:
    """An input that is taken."""

    group: str
    title: str
    check: Callable[[Kit], None]
    """Asserts the fact."""


BAD: dict[str, Bad] = {}
ODD: dict[str, Odd] = {}


def bad(group: str, title: str, name: str, shown: str, make: Make, *, program: Program = "rsprep") -> None:
    """Enter a bad input."""
    key = f"{group}: {title}"
    assert key not in BAD, key
    BAD[key] = Bad(group=group, title=title, name=name, shown=shown, make=make, program=program)


def made(group: str, title: str, name: str, shown: str) -> Callable[[Make], None]:
    """Enter a bad input that the function below makes."""
    return lambda make: bad(group, title, name, shown, make)


def odd(group: str, title: str) -> Callable[[Callable[[Kit], None]], None]:
    """Enter an odd input with its fact."""

    def enter(check: Callable[[Kit], None]) -> None:
        key = f"{group}: {title}"
        assert key not in ODD, key
        ODD[key] = Odd(group=group, title=title, check=check)

    return enter


def command(group: str, title: str, name: str, shown: str, *arguments: Any, program: Program = "rsprep") -> None:
    """A bad input that is no more than a command line; ``{shared}`` in it stands for the shared folder."""
    bad(
        group,
        title,
        name,
        shown,
        lambda kit: [str(one).replace("{shared}", str(kit.shared)) for one in arguments],
        program=program,
    )
