"""What `bench init --from` names: a file, recognised by its content, or the document of a running app."""

import json
import re
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bench.errors import CannotMeasure, UsageError
from bench.files import text_of
from bench.init import access_log, har, locust_users, openapi
from bench.init.draft import Proposal
from bench.init.scenarios_file import readable
from bench.project.addresses import is_loopback

KNOWN = (
    "an OpenAPI document (JSON or YAML; a file, or its URL at an app that runs here), a HAR, an access log "
    "or a locustfile"
)
LARGEST = 64 << 20  # bytes of a document
PATIENCE_S = 10.0

_HAR = re.compile(r'\s*\{\s*"log"\s*:')
_YAML = re.compile(r"^(?:openapi|swagger)\s*:", re.MULTILINE)
_HEAD = 65_536  # bytes


def proposal(given: str, host: str | None = None) -> Proposal:
    """Return the exchanges of what *given* names; raises UsageError, CannotMeasure.

    *host*: the origin of a HAR; None: the most frequent.
    """
    if re.match(r"https?://", given, re.IGNORECASE):
        found = openapi.proposal(_parsed(_fetched(given), given), given)
    else:
        found = _of_file(Path(given), host)
    return readable(found)


def _of_file(path: Path, host: str | None) -> Proposal:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file: give {KNOWN}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}: give {KNOWN}") from error
    if _HAR.match(head) or path.suffix == ".har":
        return har.proposal(path, host)
    if host is not None:
        raise UsageError(f"--host {host}: {path} is no HAR, only there are several hosts: leave it out")
    if path.suffix == ".py":
        return locust_users.proposal(text_of(path), str(path))
    if head.lstrip().startswith("{") or path.suffix in (".yaml", ".yml", ".json") or _YAML.search(head):
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: no OpenAPI document has more than {LARGEST >> 20} MB: give {KNOWN}")
        return openapi.proposal(_parsed(text_of(path), str(path)), str(path))
    return access_log.proposal(path)


def _parsed(text: str, name: str) -> Any:
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return yaml.safe_load(text)
    except RecursionError as error:
        raise UsageError(f"{name}: it is nested too deeply: give {KNOWN}") from error
    except json.JSONDecodeError as error:
        what = "it has one JSON value for each line" if error.msg == "Extra data" else str(error)
        raise UsageError(f"{name}: {what}: give {KNOWN}") from error
    except (yaml.YAMLError, ValueError) as error:
        where = " ".join(str(error).split())
        raise UsageError(f"{name}: it is no YAML: {where}: give {KNOWN}") from error


def _fetched(url: str) -> str:
    """Return the document at *url*, which must be of this machine."""
    how = "write it as http://127.0.0.1:8000/openapi.json"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError as error:
        raise UsageError(f"--from {url}: {error}: {how}") from error
    if parts.scheme.lower() != "http" or not is_loopback((host, port)):
        raise UsageError(
            f"--from {url}: it must run on this machine, without TLS: {how}, or save it as a file"
        )
    connection = HTTPConnection(host, port, timeout=PATIENCE_S)
    try:
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request("GET", target, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        content = answer.read(LARGEST + 1)
    except (OSError, HTTPException, ValueError) as error:
        what = str(error) or type(error).__name__
        raise CannotMeasure(f"--from {url}: {what}: start the app first") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise UsageError(f"--from {url}: status {answer.status}, no OpenAPI document: {how}")
    if len(content) > LARGEST:
        raise UsageError(f"--from {url}: it has more than {LARGEST >> 20} MB, no OpenAPI document has")
    return content.decode("utf-8-sig", errors="replace")
