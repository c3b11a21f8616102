"""index.html of a site: one file with its style and its scripts, which loads the data beside it."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader
from markupsafe import Markup

from bench.report.charts.style import MARKS, Look, family_of, looks_of
from bench.report.charts.svg import css
from bench.report.webpage import environment

TITLE = "Web frameworks side by side"
# In this order: what each uses stands before it.
SCRIPTS = (
    *("statistics", "wording", "address", "elements", "plots", "loading", "ratios", "toolbar"),
    *("conditions", "filters", "headline", "board_table", "board", "latency", "cell"),
    *("tracks", "across", "machines", "time_pictures", "time", "runs", "site"),
)
INDENT = re.compile(r"^ +", re.MULTILINE)  # a twelfth of the page
OTHER = "other"  # of contenders that came later than the page


def site_html(contenders: Iterable[str], title: str = TITLE) -> str:
    """Return index.html for data that name these *contenders*."""
    looks = looks_of(sorted({family_of(name) for name in contenders} | {OTHER}))
    templates = ChoiceLoader([PackageLoader("bench.site", "assets"), PackageLoader("bench.report")])
    return (
        environment()
        .overlay(loader=templates)
        .get_template("site.html.j2")
        .render(
            title=title,
            looks={
                "families": {family: _plain(look) for family, look in looks.items()},
                "other": _plain(looks[OTHER]),
                "marks": MARKS,
            },
            colours=sorted({look.colour for look in looks.values()}),
            scripts=scripts(),
        )
    )


def scripts(names: Iterable[str] = SCRIPTS) -> tuple[Markup, ...]:
    folder = resources.files("bench.site") / "assets"
    texts = ((folder / f"{name}.js").read_text(encoding="utf-8") for name in names)
    return tuple(Markup(INDENT.sub("", text)) for text in texts)


def _plain(look: Look) -> Mapping[str, Any]:
    return {"css": css(look), "marker": look.marker}
