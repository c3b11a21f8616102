"""The page of a profile in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from bench.profile.profile_page import write_profile_report
from tests.profile.test_page import profiled
from tests.whole.test_report_browser import SERIOUS, WAYS, chromium  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_profile_report(profiled(), tmp_path_factory.mktemp("profile"))


@pytest.mark.parametrize(("scheme", "width"), WAYS)
def test_anyone_can_use_it(chromium, written, scheme, width):  # noqa: F811
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page = context.new_page()
        page.goto(written.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        found = Axe().run(page).response
        bad = [one for one in found["violations"] if one["impact"] in SERIOUS]
        assert found["passes"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in bad] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        context.close()


def test_a_flame_graph_shows_on_its_own(chromium, written):  # noqa: F811
    page = chromium.new_page()
    page.goto((written.parent / "flask-hello.svg").as_uri())
    assert page.locator("g > rect").count() == 8
    assert (
        page.locator("g > rect.handler").first.evaluate("box => getComputedStyle(box).fill") != "rgb(0, 0, 0)"
    )
    page.close()
