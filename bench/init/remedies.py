"""What usually helps where the first request of an exchange fails."""

import re
from collections.abc import Mapping

from bench.records import Try

_NO_MODULE = re.compile(r"ModuleNotFoundError: No module named '?([\w.]+)")
_NO_TABLE = re.compile(
    r"no such table|relation \S+ does not exist|Table \S+ doesn't exist|UndefinedTable", re.I
)
_HOST = re.compile(r"DisallowedHost|ALLOWED_HOSTS|Invalid host|Bad Request \(400\)", re.I)
_VARIABLE = re.compile(
    r"KeyError: '?([A-Z][A-Z0-9_]+)|Set the ([A-Z][A-Z0-9_]+) environment|([A-Z][A-Z0-9_]+) not found"
)
_BY_STATUS: Mapping[int, str] = {
    401: "it needs a log-in: see the log-in at the top of docs/scenarios.md, or leave it out of the mix",
    404: "nothing stands there: is its path right? A row that it names can be made in `prepare`",
    405: "its path does not take this method: change `request`",
    429: "the service limits requests: switch that off under `env`",
}


def line(one: Try) -> str:
    """Return one line: right or not, and what was requested."""
    if not one.exchange:
        return f"FAILS  {one.contender}: cannot be served: {one.wrong}"
    where = f"{one.contender}  {one.exchange}  {one.request}"
    if not one.wrong:
        return f"ok     {where}"
    came = f", got {one.status}" if one.status is not None and str(one.status) not in one.wrong else ""
    return f"FAILS  {where}: {one.wrong}{came}"


def remedy(one: Try) -> str:
    """Return what to change in bench.toml, "" if nothing is known to help."""
    shown = f"{one.wrong} {one.answer}"
    if found := _NO_MODULE.search(shown):
        return (
            f"{found[1]} is not installed: add its package to the file under `install`, or name the "
            "file, extra or group that has it (`install`, `extras`, `groups`)"
        )
    if _NO_TABLE.search(shown):
        return "its tables are not there: make them in `prepare`, or name SQL files in `schema`"
    if found := _VARIABLE.search(shown):
        return f"{found[1] or found[2] or found[3]} is not set: write it under `env`"
    if one.status == 400 and _HOST.search(shown):
        return "it refuses the host: let it allow 127.0.0.1 by `env`, or set `ready.host` and a header Host"
    if one.status == 400:
        return (
            "it refuses the request, perhaps its Host: `ready.host`, a header Host, or ALLOWED_HOSTS in `env`"
        )
    if one.status == 403:
        return _BY_STATUS[401]
    if one.status in (301, 302, 303, 307, 308):
        return f"it redirects: request where it leads, or write `expect = {{ status = {one.status} }}`"
    if one.status is not None and one.status >= 500:
        return "its log is below .bench/logs; a missing table is made in `prepare`"
    return _BY_STATUS.get(one.status or 0, "")
