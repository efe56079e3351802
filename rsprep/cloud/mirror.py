"""A folder that is kept in a bucket, file by file: all that is small of a data set, or a whole run of a model.

It is pulled once and pushed now and then. A death in between costs what was not pushed yet. One of the files may be
guarded: it is pushed last, and only over the version that was last seen, so that of two writers one is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from rsprep.cloud import objects
from rsprep.cloud.address import Address
from rsprep.cloud.lease import lease_lost
from rsprep.cloud.objects import ChangedError, Version
from rsprep.files import SUFFIX

_UNFINISHED = (SUFFIX, "-journal", "-wal", "-shm")

AT_A_TIME = 8
"""Files that are pushed side by side: each is mostly waiting."""

State = tuple[int, int]
"""Time of change, in nanoseconds, and size of a file."""


class Mirror:
    """The files of `folder`, and the objects below `home` that they are.

    Names that begin with a dot stay where they are, as do the entries of `apart`.

    Parameters
    ----------
    apart : names right below `home` that are not mirrored.
    last : names of files that are pushed after all others that are not guarded: with them something is whole.
    guarded : name of the guarded file, if any.
    copied : gives the bytes of the guarded file, as they are between two changes.
    """

    def __init__(
        self,
        folder: Path,
        home: Address,
        *,
        apart: tuple[str, ...] = (),
        last: tuple[str, ...] = (),
        guarded: str = "",
        copied: Callable[[Path], bytes] = Path.read_bytes,
    ) -> None:
        self.folder, self.home = folder, home
        self._apart, self._last, self._guarded, self._copied = apart, last, guarded, copied
        self._known: dict[str, State] = {}
        self._seen: Version | None = None

    def pull(self) -> None:
        """Fetch everything.

        Raises
        ------
        BuildError : ``bucket-denied`` or ``bucket-failed``.
        """
        self._pull("")

    def _pull(self, below: str) -> None:
        here = self.home / below if below else self.home
        files, deeper = objects.names(here)
        for name in files:
            if not name or name.startswith(".") or (not below and name in self._apart):
                continue
            key = f"{below}/{name}" if below else name
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            version = objects.fetch(here / name, path)
            self._known[key] = _state(path)
            if key == self._guarded:
                self._seen = version
        for name in deeper:
            if not name.startswith(".") and (below or name not in self._apart):
                self._pull(f"{below}/{name}" if below else name)

    def is_current(self) -> bool:
        """True where the guarded object is still what was pulled."""
        return objects.version(self.home / self._guarded) == self._seen

    def push(self) -> None:
        """Bring what has changed to the bucket, and take away there what is gone here; the guarded file last.

        Raises
        ------
        BuildError : ``lease-lost`` where somebody else has pushed the guarded file; ``bucket-denied`` or
            ``bucket-failed``.
        """
        present = self._present()
        changed = [key for key, state in present.items() if self._known.get(key) != state]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for _, group in groupby(sorted(changed, key=self._rank), key=self._rank):
                for key in pool.map(self._push_one, list(group)):
                    self._known[key] = present[key]
        for key in sorted(set(self._known) - set(present)):
            objects.delete(self.home / key)
            del self._known[key]

    def _rank(self, key: str) -> int:
        return 2 if key == self._guarded else 1 if key.rpartition("/")[2] in self._last else 0

    def _push_one(self, key: str) -> str:
        if key == self._guarded:
            self._push_guarded(self.folder / key)
        else:
            objects.write(self.home / key, self.folder / key)
        return key

    def _push_guarded(self, path: Path) -> None:
        try:
            self._seen = objects.write_if(self.home / self._guarded, self._copied(path), self._seen)
        except ChangedError:
            raise lease_lost(self.home) from None

    def _present(self) -> dict[str, State]:
        found: dict[str, State] = {}
        for path in sorted(self.folder.rglob("*")):
            parts = path.relative_to(self.folder).parts
            hidden = any(part.startswith(".") for part in parts) or path.name.endswith(_UNFINISHED)
            if not hidden and parts[0] not in self._apart and path.is_file():
                found["/".join(parts)] = _state(path)
        return found


def _state(path: Path) -> State:
    told = path.stat()
    return told.st_mtime_ns, told.st_size
