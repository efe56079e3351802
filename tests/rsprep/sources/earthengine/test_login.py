"""Who asks: what is missing has a name and a remedy, and secrets stay where they are."""

from __future__ import annotations

import builtins
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rsprep.config import EarthEngine
from rsprep.errors import BuildError, ConfigError
from rsprep.reading.access import ReadPolicy
from rsprep.sources.base import ask, open_source
from rsprep.sources.earthengine import EarthEngineSource
from rsprep.sources.earthengine.login import Login, make_login, read_credentials
from tests.fakes.earthengine import EarthEngineServer, Faults, definition

SERVICE = "https://earthengine-highvolume.googleapis.com"
SECRET = "1//a-refresh-token"  # noqa: S105 - made up


def login(**changes: Any) -> Login:
    return make_login(EarthEngine(**changes), SERVICE)


def save_login(home: Path, content: str) -> None:
    folder = home / ".config" / "earthengine"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text(content, encoding="utf-8")


def key_file(path: Path) -> tuple[Path, str]:
    """A service account's key file, made up, and a line of its private key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    words = {
        "type": "service_account", "project_id": "project-of-the-key", "private_key_id": "1",
        "private_key": private.decode(), "client_email": "robot@project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }  # fmt: skip
    path.write_text(json.dumps(words), encoding="utf-8")
    return path, private.decode().splitlines()[3]


def test_a_client_that_is_not_installed(server: EarthEngineServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_ee(name: str, *rest: Any, **more: Any) -> Any:
        if name == "ee":
            raise ModuleNotFoundError("No module named 'ee'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_ee)
    with pytest.raises(ConfigError, match="no-earthengine") as caught:
        open_source(definition(server.world), server.url, EarthEngine())
    assert caught.value.remedy == "pip install 'rsprep[ee]'"


@pytest.mark.parametrize("credentials", ["auto", "saved", "adc"])
def test_no_login(credentials: str) -> None:
    with pytest.raises(ConfigError, match="no-login") as caught:
        read_credentials(login(credentials=credentials, project="p"))
    assert "earthengine authenticate" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", f'{{"refresh_token": null, "scopes": "{SECRET}"}}'])
def test_a_saved_login_that_is_none(tmp_path: Path, content: str) -> None:
    save_login(tmp_path / "home", content)
    with pytest.raises(ConfigError, match="no-login") as caught:
        read_credentials(login(project="p"))
    assert SECRET not in str(caught.value)


def test_a_saved_login(tmp_path: Path) -> None:
    save_login(tmp_path / "home", json.dumps({"refresh_token": SECRET, "project": "project-of-the-login"}))
    for credentials in ("auto", "saved"):
        found, project = read_credentials(login(credentials=credentials))
        assert (found.refresh_token, project) == (SECRET, "project-of-the-login")
    assert read_credentials(login(project="named"))[1] == "named"


def test_no_project(tmp_path: Path) -> None:
    save_login(tmp_path / "home", json.dumps({"refresh_token": SECRET}))
    with pytest.raises(ConfigError, match="no-project") as caught:
        read_credentials(login())
    assert "--project" in caught.value.remedy


def test_the_project_is_found_where_people_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-cloud")
    assert login().project == "of-the-cloud"
    monkeypatch.setenv("EARTHENGINE_PROJECT", "of-earth-engine")
    assert login().project == "of-earth-engine"
    assert login(project="asked-for").project == "asked-for"


def test_a_key_file(tmp_path: Path) -> None:
    path, secret = key_file(tmp_path / "key.json")
    found, project = read_credentials(login(credentials=str(path)))
    assert (found.service_account_email, project) == ("robot@project.iam.gserviceaccount.com", "project-of-the-key")
    assert secret in path.read_text(encoding="utf-8").replace("\\n", "\n")
    assert secret.encode() not in pickle.dumps(login(credentials=str(path)))


def test_a_key_file_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file(tmp_path / "key.json")[0]))
    for credentials in ("auto", "adc"):
        assert read_credentials(login(credentials=credentials))[1] == "project-of-the-key"


@pytest.mark.parametrize("content", [None, "", "{}", '{"type": "authorized_user", "refresh_token": "' + SECRET + '"}'])
def test_what_is_no_key_file(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="bad-key-file") as caught:
        read_credentials(login(credentials=str(path)))
    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("place", ["http://earthengine.googleapis.com", "ftp://127.0.0.2.example", "earthengine"])
def test_credentials_go_over_https_only(place: str) -> None:
    with pytest.raises(ConfigError, match="insecure-endpoint"):
        make_login(EarthEngine(), place)


def test_nobody_is_anonymous_out_there() -> None:
    with pytest.raises(ConfigError, match="anonymous-login"):
        login(credentials="anonymous")


@pytest.mark.parametrize("place", ["http://127.0.0.1:80", "http://localhost:80/", "http://[::1]:80"])
def test_a_server_on_this_machine_gets_no_secret(tmp_path: Path, place: str) -> None:
    save_login(tmp_path / "home", json.dumps({"refresh_token": SECRET, "project": "project-of-the-login"}))
    settled = make_login(EarthEngine(), place)
    assert settled.credentials == "anonymous"
    assert type(read_credentials(settled)[0]).__name__ == "AnonymousCredentials"


def test_a_worker_without_login_stops_the_build(server: EarthEngineServer, tmp_path: Path) -> None:
    """What the user's own process finds wrong is their input; what a worker finds wrong ends the build."""
    from tests.rsprep.sources.earthengine.test_faults import pixels, scene_of

    scene = scene_of(EarthEngineSource(definition(server.world), server.url, EarthEngine()))
    settings = EarthEngine(credentials=str(tmp_path / "not-on-this-worker.json"))
    access = EarthEngineSource(definition(server.world), server.url, settings).access(ReadPolicy())
    with pytest.raises(BuildError, match="bad-key-file") as caught:
        pixels(access, scene)
    assert "goes on from here" in caught.value.remedy


def test_whether_it_answers(server: EarthEngineServer) -> None:
    described = definition(server.world)
    answer = ask(described, server.url, EarthEngine(project="mine"))
    assert answer.ok
    assert answer.detail == "Earth Engine with 4 collections, project mine"
    server.faults = Faults(deny=(403, "Project mine is not registered to use Earth Engine."))
    denied = ask(described, server.url, EarthEngine(project="mine"))
    assert not denied.ok
    assert "config/project-refused" in denied.detail
    server.faults = Faults()
    server.images = {name: image for name, image in server.images.items() if "DYNAMICWORLD" not in name}
    gone = ask(described, server.url, EarthEngine(project="mine"))
    assert "catalog/collection-gone" in gone.detail
