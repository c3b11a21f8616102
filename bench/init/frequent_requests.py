"""Counted requests as a proposal: an exchange for each of the most frequent shapes."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.errors import UsageError
from bench.init.draft import CHANGE_ME, MOST_EXCHANGES, Draft, Proposal, name_of
from bench.init.masks import is_masked
from bench.init.paths import Outline, Shape, Shapes, written
from bench.project.scenarios import PLACEHOLDER

_STATIC = re.compile(
    r"[^?#]*\.(?:css|js|mjs|map|png|jpe?g|gif|svg|webp|avif|ico|bmp|woff2?|ttf|otf|eot|mp[34]|webm|ogg|wasm)"
    r"(?:[?#].*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What a request had beside its method and target."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, Any] | None = None
    text: str | None = None
    multipart: Mapping[str, Any] | None = None
    operation: str = ""  # of GraphQL: part of the exchange's name
    lacks: str = ""


def is_static(target: str) -> bool:
    return _STATIC.fullmatch(target) is not None


def proposed(
    source: str,
    shapes: Shapes,
    left_out: Mapping[str, int],
    *,
    name: str,
    notes: Sequence[str] = (),
    saves: Mapping[Outline, Mapping[str, str]] | None = None,
    needs: Mapping[Outline, Iterable[str]] | None = None,
) -> Proposal:
    """Return the most frequent of *shapes*, and all that *saves* names, with the weights of *source*.

    Raises UsageError if there are none. *saves*: what an exchange saves for others. *needs*: variables that
    one must have, although it shows none of them.
    """
    ranked = sorted(shapes.by_frequency(), key=lambda one: one.place not in (saves or {}))
    kept, rare = ranked[:MOST_EXCHANGES], ranked[MOST_EXCHANGES:]
    if not kept:
        what = "; ".join(f"{one}: {count:,}" for one, count in left_out.items() if count)
        raise UsageError(
            f"{name}: no request is left ({what or 'it has none'}): "
            "record one in which pages or data are requested and answered"
        )
    drafts: list[Draft] = []
    for shape in sorted(kept, key=lambda one: -one.requests):
        draft = _draft(shape, (saves or {}).get(shape.place, {}), {one.name for one in drafts})
        drafts.append(replace(draft, needs=tuple((needs or {}).get(shape.place, ()))))
    counted = {what: float(count) for what, count in left_out.items() if count}
    if beyond := sum(shape.requests for shape in rare) + shapes.beyond:
        more = " or more" if shapes.beyond else ""
        counted[f"rare requests, of {len(rare):,}{more} kinds"] = beyond
    return Proposal(source=source, drafts=tuple(drafts), left_out=counted, notes=tuple(notes))


def _draft(shape: Shape, save: Mapping[str, str], taken: set[str]) -> Draft:
    sample = shape.sample or Details()
    sent = json.dumps([sample.body, sample.form, sample.text, sample.multipart, *sample.headers.values()])
    request = written(shape, {found[1] for found in PLACEHOLDER.finditer(sent)} | {*save})
    remarks = list(request.remarks)
    if len(shape.statuses) > 1:
        others = ", ".join(f"{one} ({count:,})" for one, count in shape.statuses.most_common()[1:])
        remarks.append(f"it also answered with status {others}")
    if is_masked(request.target + sent):
        remarks.append(
            f"secrets and e-mail addresses were left out: write a test user's in place of {CHANGE_ME}"
        )
    place = shape.place
    parts = "/".join("id" if part is None else part for part in place.parts)
    return Draft(
        name=name_of(place.method, f"/{parts}-{sample.operation}", taken),
        request=f"{place.method} {request.target}",
        headers=sample.headers,
        body=sample.body,
        form=sample.form,
        text=sample.text,
        multipart=sample.multipart,
        fields=request.fields,
        status=shape.status,
        save=save,
        requests=shape.requests,
        remarks=tuple(remarks),
        lacks=sample.lacks,
    )
