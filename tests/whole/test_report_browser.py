"""report.html in a real browser: Chromium, headless, driven by its DevTools protocol."""

import os
import shutil
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from bench.model.claim import Choice
from bench.report.report_files import write_report
from tests.report.test_claims import article_run
from tests.report.test_evidence import YES, run_with, seen
from tests.report.test_gains import measured as practices_run
from tests.report.test_report_files import eventful_run, swept_run
from tests.support.synthetic import failing, synthetic_run, with_records

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SERIOUS = ("serious", "critical")
WAYS = [("light", 1280), ("light", 360), ("dark", 1280), ("dark", 360)]


@pytest.fixture(scope="module")
def chromium():
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        why = "no Chromium: install it (Debian, Ubuntu: apt-get install chromium)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The pages of some runs, by what is special about them."""
    runs = {
        "eventful": eventful_run(),
        "series": swept_run(),
        "claims": article_run(),
        "evidence": run_with(
            seen("flask", "partly", output="GET /", statements={"SELECT 1": 2}),
            seen("fastapi", "yes", output="GET /"),
            choices=(Choice(choose="FastAPI", when="waiting", because=(YES,)),),
        ),
        "practices": practices_run(),
        "partial": replace(
            with_records(synthetic_run({"flask": 400}, rounds=1, sweeps=1), failing), ended="failed"
        ),
    }
    return {name: write_report(run, tmp_path_factory.mktemp(name)) for name, run in runs.items()}


@pytest.fixture
def opened(chromium, written):
    """Opens a page; afterwards nothing was complained of, and nothing asked for but the file itself."""
    contexts, complaints, requests = [], [], []

    def open_(name="eventful", width=1280, **options):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(written[name].as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) <= {path.as_uri() for path in written.values()}


@pytest.mark.parametrize(("scheme", "width"), WAYS)
@pytest.mark.parametrize("name", ["eventful", "series", "claims", "partial", "evidence", "practices"])
def test_anyone_can_use_it(opened, name, scheme, width):
    page = opened(name, width, color_scheme=scheme)
    for opener in page.locator(".opener:visible").all()[:1]:
        opener.click()
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page).response
    assert found["passes"]
    bad = [one for one in found["violations"] if one["impact"] in SERIOUS]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in bad] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_light_or_dark_as_the_reader_likes_and_so_are_its_charts(opened):
    def colours(scheme):
        page = opened(color_scheme=scheme)
        style = "element => getComputedStyle(element)"
        return (
            page.eval_on_selector("body", f"{style}.backgroundColor"),
            page.eval_on_selector(".chart text", f"{style}.fill"),
        )

    (light_paper, light_ink), (dark_paper, dark_ink) = colours("light"), colours("dark")
    assert (light_paper, light_ink) == ("rgb(255, 255, 255)", "rgb(95, 99, 104)")
    assert dark_paper != light_paper
    assert dark_ink != light_ink


def contenders(table):
    return [name.strip() for name in table.locator("tbody > tr > th[scope=row] b").all_inner_texts()]


def test_a_table_sorts_by_the_heading_that_is_pressed(opened):
    page = opened()
    table = page.locator("#panel-1 table.sortable")
    heading = table.locator("th", has=page.get_by_role("button", name="req/s", exact=True)).first
    assert contenders(table) == ["stdlib", "fastapi", "flask", "django", "flask~aa"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert contenders(table)[0] == "django"
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert contenders(table)[0] == "stdlib"
    table.get_by_role("button", name="contender").press("Enter")
    assert heading.get_attribute("aria-sort") is None
    assert contenders(table) == ["django", "fastapi", "flask", "flask~aa", "stdlib"]


def test_what_is_not_known_comes_last_both_ways(opened):
    page = opened()
    table = page.locator("#panel-1 table.sortable")
    for _ in range(2):
        table.get_by_role("button", name="rank").click()
        assert contenders(table)[-1] == "flask~aa"


def test_numbers_below_zero_sort_as_such(opened):
    page = opened()
    table = page.locator("table.sortable", has=page.get_by_role("button", name="change of speed"))
    table.get_by_role("button", name="change of speed").click()
    told = table.locator("tbody td:nth-child(4)").all_inner_texts()
    changes = [float(text.split(" ")[0].replace("−", "-")) for text in told]
    assert min(changes) < 0
    assert changes == sorted(changes)


def test_words_sort_as_words_and_claims_by_what_was_measured(opened):
    page = opened("claims")
    panel = page.locator("#panel-1 table.sortable")
    panel.get_by_role("button", name="contender").click()
    names = contenders(panel)
    assert names.index("django:workers=4") < names.index("fastapi") < names.index("flask:workers=4")
    claims = page.locator("#claims table").first
    claims.get_by_role("button", name="ratio measured").click()
    assert contenders(claims)[0] == "Django, hello world"
    told = [one.strip() for one in claims.locator("tbody tr td:nth-child(6)").all_inner_texts()]
    unmeasured = told.index("–")  # of these there is no ratio: they stand last
    assert set(told[unmeasured:]) == {"–"}
    assert contenders(claims).index("Flask, hello world") >= unmeasured
    claims.get_by_role("button", name="verdict").click()
    verdicts = claims.locator("tbody td:nth-child(2)").all_inner_texts()
    assert verdicts == sorted(verdicts)


def test_groups_sort_within_themselves(opened):
    page = opened()
    table = page.locator("#cost table")
    table.get_by_role("button", name="req/s", exact=True).click()
    for group in table.locator("tbody").all():
        assert "group" in group.locator("tr").first.get_attribute("class")
        assert group.locator("tr").nth(1).inner_text().startswith("Django")


def test_rounds_open_by_keyboard_and_stay_below_their_row_when_it_moves(opened):
    page = opened()
    opener = page.get_by_role("button", name="Rounds of django in hello, 32 connections")
    opener.focus()
    page.keyboard.press("Enter")
    rounds = page.locator(f"#{opener.get_attribute('aria-controls')}")
    assert opener.get_attribute("aria-expanded") == "true"
    assert rounds.locator("tbody tr").count() == 9
    page.locator("#panel-1").get_by_role("button", name="req/s", exact=True).click()
    assert rounds.evaluate("row => row.previousElementSibling.innerText").strip().startswith("django")
    page.keyboard.press("Tab")
    opener.press(" ")
    assert not rounds.is_visible()


def test_details_open_by_keyboard(opened):
    page = opened()
    for summary in page.locator("summary").all():
        summary.focus()
        page.keyboard.press("Enter")
        assert summary.evaluate("summary => summary.parentElement.open")


def test_words_explain_themselves_on_hover_and_focus_until_escape(opened):
    page = opened()
    tip = page.locator("#tip")
    page.locator("#panel-1").get_by_role("button", name="bound by").focus()
    assert tip.inner_text() == "what was saturated: server, client, database, or nothing"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.locator("#panel-1 a.term", has_text="Ceiling").hover()
    assert tip.inner_text().startswith("what the load generator reaches")
    page.mouse.move(0, 0)
    assert not tip.is_visible()


def test_without_a_script_everything_is_shown(opened):
    page = opened(java_script_enabled=False)
    assert all(rounds.is_visible() for rounds in page.locator("tr.rounds").all())


def test_it_prints(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    assert (
        page.eval_on_selector("body", "body => getComputedStyle(body).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
