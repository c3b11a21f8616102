"""What a killed harness left behind: recorded while it runs, removed by the next run."""

import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.files import working_folder

FOLDER_PREFIX = "bench-"  # only folders with this prefix are ever removed
SAME_START_S = 1.0  # the system rounds a start time; a process id is reused far later than this


class Ledger:
    """The present processes and folders of a run, on disk beside those of other runs."""

    def __init__(self, scratch: Path) -> None:
        self._file = scratch / f"run-{os.getpid()}-{secrets.token_hex(4)}.json"
        self._processes: dict[int, dict[str, Any]] = {}
        self._folders: set[str] = set()

    def note_process(self, pid: int, folder: Path) -> None:
        """Record a process that leads its own session and works in `folder`."""
        self._processes[pid] = _identity(pid) | {"folder": str(folder)}
        self._write()

    def note_folder(self, folder: Path) -> None:
        self._folders.add(str(folder))
        self._write()

    def forget_processes(self, pids: Iterable[int]) -> None:
        for pid in pids:
            self._processes.pop(pid, None)
        self._write()

    def forget_folder(self, folder: Path) -> None:
        self._folders.discard(str(folder))
        self._write()

    def close(self) -> None:
        self._file.unlink(missing_ok=True)

    def _write(self) -> None:
        content = {
            "harness": _identity(os.getpid()),
            "processes": list(self._processes.values()),
            "folders": sorted(self._folders),
        }
        working_folder(self._file.parent)
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(content))
        draft.replace(self._file)


def clear(scratch: Path) -> None:
    """End what dead runs have left running, and remove their temporary folders."""
    for file in scratch.glob("run-*.json"):
        try:
            content = json.loads(file.read_text())
        except FileNotFoundError:  # its run has just put everything away
            continue
        if _alive(content["harness"]):
            continue
        for entry in content["processes"]:
            for process in _survivors(entry):
                with suppress(psutil.Error):
                    process.kill()
        for folder in map(Path, content["folders"]):
            if folder.name.startswith(FOLDER_PREFIX):
                shutil.rmtree(folder, ignore_errors=True)
        file.unlink(missing_ok=True)


def signature() -> str:
    """Return one word that no other process of this machine has."""
    return f"{platform.node()}/{os.getpid()}/{psutil.Process().create_time():.3f}"


def is_dead(signature: str) -> bool:
    """Return whether the process of a signature ran on this machine and has ended."""
    node, pid, started = signature.rsplit("/", 2)
    return node == platform.node() and not _alive({"pid": int(pid), "started": float(started)})


def _identity(pid: int) -> dict[str, Any]:
    return {"pid": pid, "started": psutil.Process(pid).create_time()}


def _alive(identity: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(identity["pid"])
        return _is_same(process, identity) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_same(process: psutil.Process, identity: dict[str, Any]) -> bool:
    return abs(process.create_time() - float(identity["started"])) < SAME_START_S


def _survivors(entry: dict[str, Any]) -> list[psutil.Process]:
    tree: list[psutil.Process] = []
    with suppress(psutil.Error):
        leader = psutil.Process(entry["pid"])
        if not _is_same(leader, entry):
            return []
        tree = [*leader.children(recursive=True), leader]
    return [*tree, *(process for process in psutil.process_iter() if _is_orphan(process, entry))]


def _is_orphan(process: psutil.Process, entry: dict[str, Any]) -> bool:
    try:
        return (
            os.getsid(process.pid) == entry["pid"]
            and process.create_time() >= float(entry["started"]) - SAME_START_S
            and process.cwd() == str(entry["folder"])
        )
    except (OSError, psutil.Error):
        return False
