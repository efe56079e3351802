"""Who asks: the address, the project that pays, and the credentials. Only settings travel; secrets stay where they are.

Every process reads the credentials for itself, from where the user keeps them: the login that ``earthengine
authenticate`` saves, gcloud's application default credentials, or a service account's key file.
"""

from __future__ import annotations

import ipaddress
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rsprep.config import EarthEngine
from rsprep.errors import ConfigError

PROJECT_VARIABLES = ("EARTHENGINE_PROJECT", "GOOGLE_CLOUD_PROJECT")
LOG_IN = "run `earthengine authenticate`, or set earthengine.credentials to adc or to a service account's key file"
NAME_ONE = (
    "give --project NAME (or set EARTHENGINE_PROJECT); register one at https://console.cloud.google.com/earth-engine"
)
LOCAL_PROJECT = "local-tests"
"""Stands in for a project where there is nobody to pay: a server on this machine."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Settings of a login; holds no secret and may be stored and sent."""

    url: str
    """Address of the service, without a slash at its end."""
    project: str | None
    """Cloud project that requests are charged to; None where the credentials have one of their own."""
    credentials: str
    """``saved``, ``adc``, ``auto`` (the first of these two), ``anonymous``, or the path of a key file."""
    deadline_s: float
    """Seconds after which a request is given up."""


def make_login(settings: EarthEngine, endpoint: str) -> Login:
    """Settle who asks and where, in the process that the user started.

    Raises
    ------
    ConfigError : ``insecure-endpoint`` or ``anonymous-login``.
    """
    url = endpoint.rstrip("/")
    local = _is_loopback(url)
    if not local and urlsplit(url).scheme != "https":
        raise ConfigError(
            "insecure-endpoint",
            "credentials are sent over https only, or to a server on this machine",
            value=endpoint,
            remedy="use https://earthengine-highvolume.googleapis.com or another https address",
        )
    credentials = settings.credentials
    if credentials == "auto" and local:
        credentials = "anonymous"  # whatever listens on this machine is not the service: it gets no secret
    if credentials == "anonymous" and not local:
        raise ConfigError(
            "anonymous-login", "Earth Engine wants to know who asks", value="credentials: anonymous", remedy=LOG_IN
        )
    project = settings.project or next(filter(None, map(os.environ.get, PROJECT_VARIABLES)), None)
    if project is None and credentials == "anonymous":
        project = LOCAL_PROJECT
    return Login(url=url, project=project, credentials=credentials, deadline_s=settings.deadline_s)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def earthengine() -> Any:
    """The package ``ee``; raises ConfigError ``no-earthengine`` where the extra is not installed."""
    try:
        import ee
    except ImportError as error:
        raise ConfigError(
            "no-earthengine",
            "the Earth Engine client is not installed",
            value=str(error),
            remedy="pip install 'rsprep[ee]'",
        ) from None
    return ee


def read_credentials(login: Login) -> tuple[Any, str]:
    """Credentials of ``google.auth`` and the project to charge, for this process.

    Raises
    ------
    ConfigError : ``no-login``, ``bad-key-file`` or ``no-project``.
    """
    ee = earthengine()
    if login.credentials == "anonymous":
        from google.auth.credentials import AnonymousCredentials

        found = AnonymousCredentials()
    elif login.credentials == "saved":
        found = _saved(ee)
    elif login.credentials == "adc":
        found = _application_default(ee)
    elif login.credentials == "auto":
        found = _saved(ee) if Path(ee.oauth.get_credentials_path()).exists() else _application_default(ee)
    else:
        found = _key_file(ee, Path(login.credentials).expanduser())
    project = login.project or found.quota_project_id or getattr(found, "project_id", None)
    if not project:
        raise ConfigError(
            "no-project", "Earth Engine charges every request to a project, and none is named", remedy=NAME_ONE
        )
    return found, str(project)


def _saved(ee: Any) -> Any:
    from google.oauth2.credentials import Credentials

    try:
        # Errors may quote the file, which holds the refresh token: none of them is passed on.
        words = ee.oauth.get_credentials_arguments()
        if not words["refresh_token"]:
            raise ValueError  # noqa: TRY301 - one message for every shape of a wrong file
        return Credentials(None, **words)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise _no_login("no login is saved on this machine", ee.oauth.get_credentials_path()) from None


def _application_default(ee: Any) -> Any:
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        with warnings.catch_warnings():
            # Its advice on quota projects is for other services; ours is named in every request.
            warnings.simplefilter("ignore")
            found, _ = google.auth.default(scopes=ee.oauth.SCOPES)
    except (GoogleAuthError, OSError, ValueError):
        raise _no_login("there are no application default credentials", None) from None
    project = ee.oauth.get_appdefault_project()
    return found.with_quota_project(project) if project and hasattr(found, "with_quota_project") else found


def _no_login(cause: str, value: str | None) -> ConfigError:
    return ConfigError("no-login", f"Earth Engine needs a login, and {cause}", value=value, remedy=LOG_IN)


def _key_file(ee: Any, path: Path) -> Any:
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        return Credentials.from_service_account_file(str(path), scopes=ee.oauth.SCOPES)
    except (OSError, ValueError, KeyError, TypeError, GoogleAuthError) as error:
        absent = isinstance(error, OSError)
        raise ConfigError(
            "bad-key-file",
            "the service account's key file is not there" if absent else "this is no key file of a service account",
            value=str(path),
            remedy="earthengine.credentials is auto, saved, adc or the path of a key file, the same on every worker",
        ) from None
