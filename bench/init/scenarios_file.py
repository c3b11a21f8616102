"""A proposal as a file of scenarios, and as a table beside its source's own frequencies."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.errors import UsageError
from bench.files import printable
from bench.init.draft import Draft, Proposal, weights
from bench.project import scenarios

MIX = "mix"
USERS = "locustfile"  # the scenario of a locustfile's own users
SHOWN = 20  # notes on the terminal
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_EXCHANGE = re.compile(r"exchanges\.([A-Za-z0-9_-]+)[.:]|mix: ([A-Za-z0-9_-]+) needs")


def readable(proposal: Proposal) -> Proposal:
    """Return *proposal* with each exchange that the format cannot hold as a comment, with the reason.

    What is written is read back by the reader of scenarios itself, but for a locustfile: that was parsed.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "scenarios.toml"
        while proposal.mixed:
            file.write_text(written(replace(proposal, locustfile="")), encoding="utf-8", errors="replace")
            try:
                scenarios.read(file.parent, file)
                break
            except UsageError as error:
                proposal = _without(proposal, str(error).removeprefix(f"{file}: "))
    return proposal


def _without(proposal: Proposal, reason: str) -> Proposal:
    found = _EXCHANGE.search(reason)
    name = found and (found[1] or found[2])
    if name not in {one.name for one in proposal.mixed}:
        raise UsageError(f"{proposal.source}: what it has cannot be written: {reason}")
    drafts = (replace(one, lacks=printable(reason)) if one.name == name else one for one in proposal.drafts)
    return replace(proposal, drafts=tuple(drafts))


def written(proposal: Proposal) -> str:
    """Return *proposal* in the format of docs/scenarios.md."""
    lines = [f"# Made by `bench init --from` from {printable(proposal.source)}."]
    lines += [f"# {printable(note, 400)}" for note in proposal.notes]
    for draft in proposal.drafts:
        lines += ["", *_exchange(draft)]
    mixed = proposal.mixed
    if proposal.apart:
        for draft in mixed:
            lines += ["", f"[scenarios.{draft.name}]", f"mix = {{ {draft.name} = 1 }}"]
    if mixed:
        numbers = weights([one.requests for one in mixed])
        name = "all" if proposal.apart and any(one.name == MIX for one in mixed) else MIX
        about = f"the requests of {printable(proposal.source.partition(',')[0])}"
        lines += ["", f"[scenarios.{name}]", f"about = {toml(about)}"]
        lines += ["cookies = true"] if any(one.needs for one in mixed) else []
        lines += ["", f"[scenarios.{name}.mix]"]
        lines += [f"{one.name} = {number}" for one, number in zip(mixed, numbers, strict=True)]
    if proposal.runs_users:
        lines += [
            "",
            "# All of it, translated or not: its own users send it by Locust's client, which costs more.",
        ]
        lines += [f"[scenarios.{USERS}]", f"locustfile = {toml(proposal.locustfile)}"]
    return "\n".join(lines) + "\n"


def _exchange(draft: Draft) -> Iterator[str]:
    for remark in (*filter(None, [draft.origin]), *draft.remarks):
        yield f"# {printable(remark, 400)}"
    if draft.lacks:
        yield f"# Not sent: {printable(draft.lacks, 400)}"
    before = "# " if draft.lacks else ""
    yield f"{before}[exchanges.{draft.name}]"
    yield f"{before}request = {toml(draft.request)}"
    if has_null(draft.body):
        draft = _as_text(draft)
    for key in ("headers", "body", "form", "text", "multipart", "fields", "save", "consumes", "needs"):
        value = getattr(draft, key)
        if (value is not None and value not in ({}, ())) or (key in ("body", "form") and value == {}):
            yield f"{before}{key} = {toml(value)}"
    if draft.status != 200:
        yield f"{before}expect = {{ status = {draft.status} }}"


def has_null(node: Any) -> bool:
    """Whether an object or a list has a null somewhere."""
    parts = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return any(one is None or has_null(one) for one in parts)


def _as_text(draft: Draft) -> Draft:
    """Return *draft* with its JSON as text: TOML has no null."""
    text = json.dumps(draft.body, ensure_ascii=False)
    for name, drawn in draft.fields.items():
        if "integer" in drawn or all(isinstance(one, int) for one in drawn.get("values", [""])):
            text = text.replace(f'"{{{name}}}"', f"{{{name}}}")
    return replace(draft, body=None, text=text, headers={"Content-Type": "application/json", **draft.headers})


def toml(value: Any) -> str:
    """Return *value* as TOML in one line. Raises ValueError if it has a null, which TOML lacks."""
    match value:
        case None:
            raise ValueError("TOML has no null")
        case bool() | int() | float():
            return str(value).lower()
        case Mapping():
            pairs = (f"{_key(str(key))} = {toml(one)}" for key, one in value.items())
            return f"{{ {', '.join(pairs)} }}" if value else "{}"
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
    return _text(str(value))


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    whole = text.encode(errors="replace").decode()  # half of a surrogate pair is no character
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def table(proposal: Proposal) -> Iterator[str]:
    """Yield lines: each exchange with its share in the source and in the mix; then what was left out."""
    mixed = proposal.mixed
    if mixed and proposal.counts:
        yield from _shares(proposal, mixed)
    elif mixed:
        yield f"{len(mixed)} exchanges, each as often: the source does not show how often each is requested"
    for draft in proposal.drafts:
        if draft.lacks:
            yield f"not sent: {draft.name} ({draft.request}): {printable(draft.lacks)}"
    for draft in mixed:
        yield from (f"{draft.name}: {printable(remark)}" for remark in draft.remarks)
    yield from (f"left out: {printable(what)}: {_number(count)}" for what, count in proposal.left_out.items())
    if proposal.runs_users:
        yield f"scenario {USERS}: its own users send all of it, by Locust's client"
    yield from (printable(note, 400) for note in proposal.notes[:SHOWN])
    if more := proposal.notes[SHOWN:]:
        yield f"and {len(more)} more, which are in the file"


def _shares(proposal: Proposal, mixed: Sequence[Draft]) -> Iterator[str]:
    kept = sum(one.requests for one in mixed)
    unsent = sum(one.requests for one in proposal.drafts if one.lacks)
    everything = kept + unsent + sum(proposal.left_out.values())
    numbers = weights([one.requests for one in mixed])
    wide = max(8, *(len(one.name) for one in mixed))
    yield f"{'exchange':{wide}}  {'requests':>9}  {'of all':>7}  {'of these':>8}  {'in the mix':>10}"
    apart = 0.0
    for one, number in zip(mixed, numbers, strict=True):
        ours, in_mix = one.requests / kept, number / sum(numbers)
        apart = max(apart, abs(ours - in_mix))
        yield (
            f"{one.name:{wide}}  {_number(one.requests):>9}  {one.requests / everything:>7.1%}"
            f"  {ours:>8.1%}  {in_mix:>10.1%}"
        )
    yield (
        f"the mix has {kept / everything:.1%} of {_number(everything)} requests; "
        f"its shares differ from the source's by {100 * apart:.2f} points at most"
    )


def _number(count: float) -> str:
    return f"{count:,.0f}" if count == int(count) else f"{count:,.2f}"
