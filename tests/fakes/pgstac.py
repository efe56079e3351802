"""The API that most public catalogs run (stac-fastapi on pgstac), with a PostgreSQL of its own, all on 127.0.0.1.

Needs PostgreSQL with PostGIS on this machine, and the programs of a virtual environment with stac-fastapi.pgstac,
pypgstac and uvicorn: ``make test-pgstac`` sets both up where it can.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_S = 60.0
USER = "stac"


def postgres_programs() -> Path | None:
    """Folder with initdb and pg_ctl; None where there is no PostgreSQL, or none with PostGIS."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    for folder in [*folders, *([Path(found).parent] if found else [])]:
        shared = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
        if shared.returncode == 0 and (Path(shared.stdout.strip()) / "extension" / "postgis.control").exists():
            return folder
    return None


@contextmanager
def pgstac_api(programs: Path, documents: Sequence[Path]) -> Iterator[str]:
    """Address of an API that was loaded with `documents`: collections, and collections of items.

    Parameters
    ----------
    programs : folder with pypgstac and uvicorn.
    """
    with tempfile.TemporaryDirectory() as name, _database(Path(name)) as place:
        folder = Path(name)
        environment = {**os.environ, **place}
        _run([programs / "pypgstac", "migrate"], environment)
        for kind, contents in _sorted(documents).items():
            file = folder / f"{kind}.ndjson"
            file.write_text("\n".join(json.dumps(content) for content in contents))
            file.chmod(0o644)
            _run([programs / "pypgstac", "load", kind, str(file), "--method", "insert"], environment)
        port = _free_port()
        command = [str(programs / "uvicorn"), "--factory", "stac_fastapi.pgstac.app:create_app", "--host", "127.0.0.1"]
        command += ["--port", str(port)]
        log = folder / "api.log"
        with log.open("w") as stream, subprocess.Popen(command, env=environment, stdout=stream, stderr=stream) as api:
            try:
                _await(f"http://127.0.0.1:{port}", api, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                api.terminate()


def _sorted(documents: Sequence[Path]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"collections": [], "items": []}
    for path in documents:
        content = json.loads(path.read_text())
        if content["type"] == "Collection":
            found["collections"].append(content)
        else:
            found["items"] += content["features"]
    return found


@contextmanager
def _database(folder: Path) -> Iterator[Mapping[str, str]]:
    """How to reach a new, empty database, as environment variables of libpq."""
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("there is no PostgreSQL with PostGIS here")
    data, port = folder / "data", str(_free_port())
    data.mkdir()
    folder.chmod(0o755)
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(data, "postgres")
    owner: list[str | Path] = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    _run([*owner, programs / "initdb", "-D", data, "-U", USER, "--auth", "trust", "--no-sync", "-E", "UTF8"])
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    control = [*owner, programs / "pg_ctl", "-D", data, "-w", "-l", data / "log"]
    _run([*control, "-o", options, "start"])
    place = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": USER, "PGDATABASE": USER, "PGPASSWORD": "none"}
    try:
        _run([programs / "createdb", USER], {**os.environ, **place})
        yield place
    finally:
        _run([*control, "-m", "immediate", "stop"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    # Files and not pipes: a server that is started inherits them, and a pipe would stay open with it.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [str(part) for part in command], env=environment, cwd="/", stdout=said, stderr=said, check=False
        )
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{Path(command[0]).name} failed: {said.read()[-2000:]}")


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/", timeout=5):  # noqa: S310 - the server that was just started
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"the API does not answer: {log.read_text()[-2000:]}")
