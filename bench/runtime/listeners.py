"""Which processes of this machine listen at an address: their CPU is that of a server we did not start."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bench.project.addresses import format_address, is_loopback
from bench.runtime.ports import ANY, listened

# They pass bytes on to a server elsewhere: in a container, or on another machine. Their CPU is not its CPU.
FORWARDERS = frozenset(
    {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "gvproxy", "com.docker.backend", "conmon"}
    | {"ssh", "sshd", "kubectl", "socat", "wslrelay", "systemd", "launchd"}
)
LOCALHOST = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """The topmost processes that listen at an address; none, and *why*, if they cannot be known."""

    pids: tuple[int, ...] = ()
    program: str = ""
    why: str = ""


def listener(address: tuple[str, int]) -> Listener:
    if not is_loopback(address):
        return Listener(why=f"{format_address(address)} is not an address of loopback")
    found = dict(_listening(address))
    tops = {pid: one for pid, one in found.items() if _parent(one) not in found}
    programs = sorted({_name(one) for one in tops.values()})
    match programs:
        case []:
            return Listener(
                why=f"no process that may be looked at listens at {format_address(address)} (a container?)"
            )
        case [program] if program in FORWARDERS:
            return Listener(why=f"{program} listens at {format_address(address)}, and passes requests on")
        case [program]:
            return Listener(pids=tuple(sorted(tops)), program=program)
        case _:
            return Listener(why=f"several listen at {format_address(address)}: {', '.join(programs)}")


def _listening(address: tuple[str, int]) -> Iterator[tuple[int, psutil.Process]]:
    host, port = address
    ours = (*(LOCALHOST if host == "localhost" else (host, f"::ffff:{host}")), *ANY)
    for one in psutil.process_iter():
        if _shares_our_network(one.pid) and any(
            known == port and ip in ours for ip, known in listened([one.pid])
        ):
            yield one.pid, one


def _shares_our_network(pid: int) -> bool:
    """Return whether the ports of *pid* are those of this process. In a container they are others."""
    if not os.path.exists("/proc/self/ns/net"):
        return True
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    return False


def _parent(one: psutil.Process) -> int | None:
    with suppress(psutil.Error):
        return one.ppid()
    return None


def _name(one: psutil.Process) -> str:
    with suppress(psutil.Error):
        return one.name()
    return "a process that ended"
