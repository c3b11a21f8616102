"""index.html of a site: whole in itself, and its scripts never take text for anything else."""

import re
from importlib import resources

from bench.site.page import SCRIPTS, scripts, site_html
from tests.support.pages import read

ASSETS = resources.files("bench.site") / "assets"


def test_the_page_is_one_file_that_requests_nothing():
    html = site_html(["flask", "fastapi:workers=2"])
    page = read(html)
    assert (
        "default-src 'none'" in page.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    )
    assert [link.attributes["href"] for link in page.all("link")] == ["data:,"]
    assert not [script for script in page.all("script") if "src" in script.attributes]
    assert len(html.encode()) < 140_000  # of 300,000 for the first view


def test_every_script_is_in_the_page_once():
    assert sorted(f"{name}.js" for name in SCRIPTS) == sorted(
        file.name for file in ASSETS.iterdir() if file.name.endswith(".js")
    )


def test_scripts_make_no_markup_of_text_and_request_nothing():
    taken = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|fetch\(|XMLHttp|</script"
    )
    assert [found[0] for script in scripts() for found in taken.finditer(script)] == []


def test_a_family_has_the_colour_and_the_shape_that_it_has_in_a_report():
    html = site_html(["django-drf", "rails"])
    assert '"django": {"css": "var(--c009e73)", "marker": "s"}' in html
    assert "--c009e73: #009e73" in html
    assert '"rails": {' in html
