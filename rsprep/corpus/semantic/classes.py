"""The classes of a semantic corpus: the table that its masks follow, and the table that the store is to follow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsprep.errors import CatalogError
from rsprep.products.crosswalk import Crosswalk, load_crosswalk, read_crosswalk


@dataclass(frozen=True)
class Coding:
    """From the codes of the masks to those of the store."""

    source: Crosswalk
    """Names every code that a mask may hold."""
    target: Crosswalk
    """Names the codes of the store; the same table where nothing is translated."""

    @property
    def translates(self) -> bool:
        """True where the store's codes are another table's."""
        return self.source.name != self.target.name

    @cached_property
    def unknown(self) -> int:
        """The one code of the store that says that nothing is known: the table's first, else the largest free one."""
        if self.target.unknown_codes:
            return self.target.unknown_codes[0]
        taken = {one.code for one in self.target.classes}
        free = [code for code in range(255, -1, -1) if code not in taken]
        if not free:
            raise CatalogError(
                "no-free-code",
                "the class table uses all 256 codes, which leaves none for pixels of which nothing is known",
                value=self.target.name,
                remedy="mark one of its classes with dynamic_world: 255",
            )
        return free[0]

    @cached_property
    def table(self) -> NDArray[np.int16]:
        """(256,) code of a mask to code of the store; −1 where the masks' table names no such code.

        All codes that are no observation become `unknown`, and so does a class that the other table has none for.
        """
        table = np.full(256, -1, np.int16)
        back = self.target.back_table
        for one in self.source.classes:
            if one.is_unknown:
                table[one.code] = self.unknown
            elif not self.translates:
                table[one.code] = one.code
            else:
                found = -1 if one.dynamic_world is None else int(back[one.dynamic_world])
                table[one.code] = self.unknown if found < 0 else found
        return table

    @property
    def lost(self) -> tuple[str, ...]:
        """Classes of the masks that the store's table has no class for; their pixels become unknown."""
        return tuple(one.name for one in self.source.known if self.table[one.code] == self.unknown)

    @cached_property
    def codes(self) -> tuple[int, ...]:
        """Codes of the store: its classes in the table's order, and `unknown` last."""
        return (*(one.code for one in self.target.known), self.unknown)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of `codes`."""
        unknown = [one.name for one in self.target.classes if one.code == self.unknown]
        return (*(one.name for one in self.target.known), *(unknown or ["unknown"]))

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of the mask in the store."""
        known = self.target.known
        lost = f"; unknown here, since this table has no class for it: {', '.join(self.lost)}" if self.lost else ""
        return {
            "long_name": f"classes of {self.target.title}",
            "units": "1",
            "nodata": self.unknown,
            "flag_values": [one.code for one in known],
            "flag_meanings": " ".join("_".join(one.name.split()) for one in known),
            "flag_colors": " ".join(self.target.colours[one.code] for one in known),
            "coding": self.target.name,
            "origin": (f"crosswalk from {self.source.name}" if self.translates else self.source.name) + lost,
        }

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides what becomes of a mask's codes and colours."""
        tables = f"{self.source.model_dump_json()}\n{self.target.model_dump_json()}"
        return hashlib.sha256(tables.encode()).hexdigest()

    def counted(self, counts: NDArray[np.integer[Any]]) -> Mapping[str, int]:
        """Pixels of the `codes` as the journal keeps them: code as text to pixels, without the unknown and the 0."""
        pairs = zip(self.codes[:-1], counts.tolist(), strict=False)
        return {str(code): count for code, count in pairs if count}


def load_coding(classes: str, to: str = "") -> Coding:
    """Coding of masks that follow the table `classes`, in a store that follows `to` (the same by default).

    Parameters
    ----------
    classes : name of a table in ``catalogs/crosswalks``, or path of a YAML file like them.
    to : likewise.

    Raises
    ------
    CatalogError : ``bad-crosswalk``, ``bad-class-table`` or ``no-free-code``.
    """
    source = _load(classes)
    coding = Coding(source=source, target=_load(to) if to else source)
    _ = coding.unknown
    return coding


def _load(name: str) -> Crosswalk:
    return read_crosswalk(Path(name)) if name.endswith((".yaml", ".yml")) else load_crosswalk(name)
