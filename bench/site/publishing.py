"""The folder of a site: its page, the page's data, and the same for machines."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from bench.errors import UsageError
from bench.files import to_json, write_atomically
from bench.site import browser_data
from bench.site.catalogue import Catalogue
from bench.site.gathering import Gathering
from bench.site.llms import llms_text
from bench.site.published import published, schema
from bench.site.scripts import run_script, to_script

Page = Callable[[Iterable[str]], str]  # from the names of contenders
MARK = "index.schema.json"  # shows that a folder holds a site


def publish(gathering: Gathering, out: Path, page: Page, built_at: datetime, *, code: str = "") -> Catalogue:
    """Write the site of *gathering* to *out*. *code* is a template of links to the code of a contender.

    Raises UsageError if *out* cannot be written, or holds something else than a site.
    """
    catalogue = Catalogue.of(gathering)
    index = published(catalogue, built_at)
    try:
        _make_room(out)
        for number, run in enumerate(catalogue.runs):
            name = run.submission.id
            script = run_script(name, run.text, browser_data.beside_run(catalogue, number))
            (out / "data" / f"{name}.js").write_text(script, encoding="utf-8")
            (out / "runs" / f"{name}.json").write_text(f"{run.text}\n", encoding="utf-8")
        for number, trend in enumerate(browser_data.trends_of(catalogue)):
            (out / "data" / f"trend-{number}.js").write_text(to_script("benchTrend", number, trend))
        (out / "data" / "machines.js").write_text(
            to_script("benchMachines", browser_data.travels_of(catalogue))
        )
        first = to_script("benchIndex", browser_data.index_of(catalogue, built_at, code))
        (out / "data" / "index.js").write_text(first, encoding="utf-8")
        write_atomically(out / "index.json", to_json(index) + b"\n")
        (out / MARK).write_text(json.dumps(schema(), indent=1) + "\n")
        (out / "llms.txt").write_text(llms_text(index), encoding="utf-8")
        (out / "index.html").write_text(page(_names(catalogue)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}: name another folder with --out") from error
    return catalogue


def _make_room(out: Path) -> None:
    """Make the folders of a site. What an earlier build left in them goes; other files stay."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        raise UsageError(f"{out} holds something else than a site: name another folder with --out")
    for folder, pattern in ((out / "data", "*.js"), (out / "runs", "*.json")):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(pattern):
            old.unlink()


def _names(catalogue: Catalogue) -> list[str]:
    return [*dict.fromkeys(name for _, name in catalogue.contenders)]
