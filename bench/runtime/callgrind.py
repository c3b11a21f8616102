"""Instructions that the processes of one server execute, counted by valgrind's callgrind (docs/adr/0016)."""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.errors import CannotMeasure
from bench.runtime.callgrind_file import costs

REMEDY = "install valgrind (Debian, Ubuntu, Fedora, Homebrew on Linux: the package valgrind)"
SLOWER = 10.0  # times, at least: how much longer a server may take to be ready
COMMAND_S = 30.0  # a process takes a command at its next system call, which is at most seconds away
FORCED_MS = 20  # so long it may work on, as after an answer; then it is made to take it in its system call
# Python's functions that carry out a garbage collection, in their versions from 3.11 to 3.15.
COLLECTORS = frozenset(
    {
        "gc_collect_main",
        "gc_collect_generations",
        "gc_collect_internal",
        "gc_collect_young",
        "gc_collect_increment",
        "gc_collect_full",
        "_PyGC_Collect",
        "_Py_RunGC",
    }
)
EVALUATOR = "_PyEval_EvalFrameDefault"  # Python exports it, so a stripped interpreter names it too
NAMELESS = "0x"
STRIPPED = 0.01  # of an interpreter's instructions: if more are in functions without names, it is stripped
PIPES = "vgdb"
UNKNOWN = re.compile(r"SIGILL\b[^(]*\n(?:==\d+==.*\n)*?==\d+==\s+at 0x\w+: .*\(in (.*?)\)")
NAMED = re.compile(r"-by-(.*)-on-(.*)$")
OWN_NUMBER = re.compile(r"^NSpid:.*?(\d+)$", re.MULTILINE)
UNSET = "???"
# A worker that starts or answers slowly is no dead worker.
GUNICORN_S = "600"
# What its own command line says has priority. The shell is replaced, so the process stays the same.
PATIENTLY = f'export GUNICORN_CMD_ARGS="$GUNICORN_CMD_ARGS --timeout {GUNICORN_S}"; exec "$@"'


@cache
def version() -> str | None:
    """Return valgrind's version, or None where it is missing."""
    if not shutil.which("valgrind") or not shutil.which("vgdb"):
        return None
    found = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=False)
    return found.stdout.strip().removeprefix("valgrind-") or None


@dataclass(frozen=True, slots=True)
class Executed:
    """Instructions of a process between two readings.

    *collections*: those in Python's collector. None: an interpreter without symbols does not name it.
    """

    everything: int
    collections: int | None


class Callgrind:
    """Counts what the processes of one server execute. Its files are in *folder*, which is its own.

    In a container: *beside* are the words that run a command beside its processes, *release* is valgrind's
    version there. The folder has one path inside and outside.
    """

    def __init__(self, folder: Path, *, beside: Sequence[str] = (), release: str = "") -> None:
        self.folder = folder
        self._beside = beside
        self._release = release or version()

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs *argv* and all its children on the counted processor."""
        options = [
            "--tool=callgrind",
            "--instr-atstart=no",  # a start takes seconds, not minutes
            "--trace-children=yes",
            "--vex-iropt-unroll-thresh=0",  # most code runs too seldom to be worth it: 15 % faster without
            f"--vgdb-prefix={self.folder / PIPES}",
            f"--callgrind-out-file={self.folder}/%p",
            "--quiet",
        ]
        if Path(argv[0]).name == "gunicorn":
            return ["valgrind", *options, *argv, "--timeout", GUNICORN_S]
        counted = ["valgrind", *options, *argv]
        starts_it = any("gunicorn" in word or word.endswith(".sh") for word in argv)
        return ["sh", "-c", PATIENTLY, "sh", *counted] if starts_it else counted

    @property
    def name(self) -> str:
        return f"callgrind {self._release}"

    def begin(self, pids: Sequence[int]) -> None:
        """Count from now on. Raises CannotMeasure if a process takes no command."""
        for file in self.folder.glob("[0-9]*"):
            file.unlink()  # of processes that ended while the server started
        for pid in pids:
            self._tell(own_number(pid), "instrumentation", "on")

    def ended(self) -> bool:
        """Return whether a process ended since counting began: what it executed is in no reading."""
        return any(file.stat().st_size for file in self.folder.glob("[0-9]*") if file.name.isdigit())

    def read(self, pids: Sequence[int]) -> dict[int, Executed]:
        """Return what each process executed since it was last read, and keep its last profile."""
        found = {}
        for pid in pids:
            number = own_number(pid)
            for old in self._profiles(number):
                old.unlink()
            self._tell(number, "dump")
            parts = [executed(file.read_text(errors="replace")) for file in self._profiles(number)]
            found[pid] = together(parts)
        return found

    def keep(self, pids: Sequence[int], folder: Path, name: str) -> None:
        """Copy the profiles of the last reading to *folder*, for KCachegrind and QCachegrind."""
        folder.mkdir(parents=True, exist_ok=True)
        for pid in pids:
            before = f"callgrind.out.{escape(name)}.{pid}"
            for old in (*folder.glob(before), *folder.glob(f"{before}-*")):
                old.unlink()
            for place, file in enumerate(self._profiles(own_number(pid))):
                shutil.copyfile(file, folder / f"callgrind.out.{name}.{pid}{f'-{place}' if place else ''}")

    def _profiles(self, number: int) -> list[Path]:
        return [*self.folder.glob(f"{number}.*"), *self.folder.glob(f"{number}-*")]

    def _tell(self, number: int, *words: str) -> None:
        where = [f"--vgdb-prefix={self.folder / PIPES}", f"--pid={number}", f"--max-invoke-ms={FORCED_MS}"]
        command = [*self._beside, "env", *self._names(number), "vgdb", *where, *words]
        try:
            told = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            raise CannotMeasure(
                f"process {number} does not answer valgrind within {COMMAND_S:.0f} s"
            ) from error
        if told.returncode:
            lines = (told.stderr or told.stdout).strip().splitlines() or ["no reason given"]
            raise CannotMeasure(f"process {number} takes no command of valgrind: {lines[-1]}")

    def _names(self, number: int) -> list[str]:
        """Return words for `env` by which vgdb finds the pipes of a process, named by its user and host."""
        for pipe in self.folder.glob(f"{PIPES}-from-vgdb-to-{number}-by-*"):
            if found := NAMED.search(pipe.name):
                known = dict(zip(("LOGNAME", "HOST"), found.groups(), strict=True))
                unset = [word for name in ("LOGNAME", "USER", "HOST", "HOSTNAME") for word in ("-u", name)]
                return [*unset, *(f"{name}={value}" for name, value in known.items() if value != UNSET)]
        raise CannotMeasure(f"process {number} does not run under valgrind")


def own_number(pid: int) -> int:
    """Return the number of a process as it knows it itself: in a container that is another one than here."""
    with suppress(OSError):
        if found := OWN_NUMBER.search(Path(f"/proc/{pid}/status").read_text()):
            return int(found[1])
    return pid


def executed(profile: str) -> Executed:
    """Return the sums of a profile in callgrind's format. Raises CannotMeasure if it was cut short."""
    collected = 0
    own, nameless = Counter[str](), Counter[str]()  # by object
    interpreters = set()
    for one in costs(profile):
        if one.callee:
            if one.callee in COLLECTORS and one.function not in COLLECTORS:
                collected += one.instructions
            continue
        own[one.object] += one.instructions
        if one.function.startswith(NAMELESS):
            nameless[one.object] += one.instructions
        elif one.function == EVALUATOR:
            interpreters.add(one.object)
    is_stripped = any(nameless[one] > STRIPPED * own[one] for one in interpreters)
    return Executed(everything=own.total(), collections=None if is_stripped else collected)


def together(parts: Collection[Executed]) -> Executed:
    """Return the sum of *parts*. Collections of one that does not tell them apart are in no sum."""
    collections = [one.collections for one in parts if one.collections is not None]
    everything = sum(one.everything for one in parts)
    return Executed(everything, sum(collections) if len(collections) == len(parts) else None)


def unknown_instruction(log: str) -> str | None:
    """Return the module whose instruction valgrind does not know, if that is how a server ended."""
    died = UNKNOWN.search(log)
    return Path(died[1]).name if died else None


@contextmanager
def under_callgrind(scratch: Path, *, beside: Sequence[str] = (), release: str = "") -> Iterator[Callgrind]:
    with TemporaryDirectory(prefix="bench-counted-", dir=scratch, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o777)  # a server may become another user
        yield Callgrind(Path(folder), beside=beside, release=release)
