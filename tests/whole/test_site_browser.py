"""The site in a real browser: the statistics of Python, the views, the address, and who can use it."""

import math
import time
from dataclasses import replace
from random import Random

import pytest
from axe_playwright_python.sync_playwright import Axe

from bench.analysis.comparisons import between, judged, noise_floors, ranks, verdict_of
from bench.analysis.statistics import estimate_of, paired_log_ratios, ratio_of
from bench.model.contender import name_of
from bench.project import content_hash
from bench.report.wording import both, ratio
from bench.site.page import scripts, site_html
from bench.site.publishing import publish
from tests.site.test_publishing import gathered
from tests.support.submissions import NOW, run_of
from tests.whole.test_report_browser import chromium  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

CELLS = 1_000
LARGEST = 1e-9
WAYS = [("light", 1280), ("dark", 360)]
HOSTILE = "<script>window.taken = 1</script><img src=x onerror='window.taken = 1'>"
SPEEDS = {"flask": 4_300.0, "fastapi": 10_400.0, "django": 4_200.0, "stdlib": 4_310.0, "flask~aa": 4_300.0}
MACHINES = [f"x86_64, CPU {number}, {number} cores, 8 GiB" for number in (2, 4, 8)]
VIEWS = {
    "board": "",
    "cell": "#/cell?contender=fastapi&scenario=hello",
    "machines": "#/machines?contender=fastapi",
    "time": "#/time?contender=fastapi",
    "runs": "#/runs",
    "run": "#/run?run={id}",
    "lost": "#/cell?run=none",
    "cost": "#/board?metric=service_demand_us&sort=name",
    "nothing": "#/board?python=2.7",
}


def hostile(run):
    scenarios = tuple(replace(one, about=HOSTILE) for one in run.scenarios)
    contenders = tuple(replace(one, stack=f"{one.name} {HOSTILE}") for one in run.contenders)
    return replace(run, scenarios=scenarios, contenders=contenders)


def until(page, expression):
    """Wait until *expression* is true. Playwright's own way evaluates text in the page, which forbids it."""
    ends = time.monotonic() + 30
    while not page.evaluate(expression):
        assert time.monotonic() < ends, f"never true: {expression}"
        page.wait_for_timeout(20)


@pytest.fixture(scope="module")
def runs():
    made = [
        run_of(machine, at=f"2026-11-{day:02}T02:17:00+00:00", rounds=12, seed=day, speeds=SPEEDS)
        for day, machine in enumerate([*MACHINES, *MACHINES], start=1)
    ]
    broken = run_of(MACHINES[0], at="2026-10-01T02:17:00+00:00", speeds=SPEEDS)
    return [*map(hostile, reversed(made)), replace(broken, ended="interrupted")]


@pytest.fixture(scope="module")
def site(tmp_path_factory, runs):
    out = tmp_path_factory.mktemp("site") / "out"
    publish(gathered(*runs), out, site_html, NOW, code="https://example.org/{commit}/{folder}")
    return out


@pytest.fixture
def opened(chromium, site):  # noqa: F811
    """Opens a view; afterwards nothing was complained of, and only files of the site were requested."""
    contexts, complaints, requests = [], [], []

    def open_(view="", width=1280, **options):
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        first = max(file.stem for file in (site / "runs").iterdir())
        page.goto((site / "index.html").as_uri() + view.replace("{id}", first))
        page.wait_for_selector("main table, main .warning")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith((site.as_uri(), "data:"))] == []


def random_cell(random):
    rounds = [
        number
        for number in range(random.choice((1, 5, 6, 9, 11, 12, 13, 20, 30)))
        for _ in range(random.randint(1, 6))
    ]
    effect = random.gauss(0, 0.2)

    def value(shift):
        if random.random() < 0.05:
            return random.choice((None, None, 0))
        return math.exp(7 + shift + random.gauss(0, 0.05))

    return rounds, [value(effect) for _ in rounds], [value(0) for _ in rounds]


def in_python(rounds, values, references):
    numbered = [(number, sweep) for sweep, number in enumerate(rounds)]
    sides = [
        {at: one for at, one in zip(numbered, side, strict=True) if one is not None}
        for side in (values, references)
    ]
    pairing = paired_log_ratios(*sides)
    found, rate = ratio_of(pairing), estimate_of(pairing.log_ratios.values())
    numbers = [
        end
        for one in (found, rate)
        for end in ([one.estimate, one.low, one.high, one.level] if one else [None] * 4)
    ]
    verdicts = [verdict_of(metric, found, 0.05) for metric in ("throughput_rps", "service_demand_us")]
    return [pairing.pairs, pairing.dropped, *numbers], verdicts


IN_BROWSER = """cells => cells.map(([rounds, values, references]) => {
  const pairing = pairedLogRatios(values, references, rounds);
  const numbers = found => found ? [found.estimate, found.low, found.high, found.level] : Array(4).fill(null);
  const found = ratioOf(pairing);
  const centre = estimateOf([...pairing.logRatios.values()]);
  return [[pairing.pairs, pairing.dropped, ...numbers(found), ...numbers(centre)],
    ["throughput_rps", "service_demand_us"].map(metric => verdictOf(metric, found, 0.05))];
})"""


def test_the_browser_computes_what_python_does(chromium):  # noqa: F811
    random = Random(7)
    cells = [random_cell(random) for _ in range(CELLS)]
    page = chromium.new_page()
    page.add_script_tag(content=scripts(["statistics"])[0])
    theirs = page.evaluate(IN_BROWSER, cells)
    page.close()
    largest, compared = 0.0, 0
    for cell, (numbers, verdicts) in zip(cells, theirs, strict=True):
        expected, judged = in_python(*cell)
        assert verdicts == judged
        assert [one is None for one in numbers] == [one is None for one in expected]
        known = [(one, other) for one, other in zip(numbers, expected, strict=True) if other is not None]
        compared += len(known)
        largest = max([largest, *(abs(one - other) for one, other in known)])
    assert compared > 6 * CELLS
    assert largest <= LARGEST


@pytest.mark.parametrize("reference", ["django", "stdlib"])
def test_a_board_on_another_reference_says_what_python_says(opened, runs, reference):
    page = opened(f"#/board?ref={reference}")
    run = runs[0]
    cells = {row.contender: row for row in (record.slice.cell for record in run.records)}
    places = ranks(
        run, [cell for name, cell in cells.items() if name in SPEEDS and not name_of(name).is_twin]
    )
    for row in page.locator(".board tbody tr").all():
        name = row.locator("th b").inner_text()
        rank = row.locator(".rank").first.evaluate("rank => rank.firstChild?.textContent ?? ''")
        assert int(rank.rstrip("=")) == places[cells[name]]
        if name == reference:
            continue
        found = between(run, cells[name], reference, "throughput_rps")
        found = judged(found, noise_floors(run), run.plan.margins)
        shown = row.locator(".cell > a").evaluate("link => link.firstChild.textContent")
        assert f"{shown} ({row.locator('.cell small').inner_text()})" == both(found.ratio, of_ratio=True)
        assert found.verdict in row.locator(".cell").get_attribute("class").split()
        no_difference = found.blocked or found.ratio.low <= 1 <= found.ratio.high
        assert (row.locator(".strip .hollow").count() == 1) == no_difference


@pytest.mark.parametrize(("scheme", "width"), WAYS)
def test_anyone_can_use_every_view(opened, scheme, width):
    for name, view in VIEWS.items():
        page = opened(view, width, color_scheme=scheme)
        for summary in page.locator("summary").all():
            summary.click()
        found = Axe().run(page).response
        assert found["passes"]
        assert [(name, one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("window.taken") is None
        assert page.locator("main img, main script").count() == 0


def test_names_are_text(opened):
    page = opened()
    assert HOSTILE in page.locator(".headline").inner_text()
    assert HOSTILE in page.locator(".board tbody th").first.inner_text()


def test_back_works_and_a_link_shows_what_its_sender_saw(opened):
    page = opened()
    page.focus("#choose-ref")
    page.select_option("#choose-ref", "django")
    until(page, "location.hash.includes('ref=django')")
    until(page, "document.getElementById('live').textContent.includes('relative to django')")
    assert page.evaluate("document.activeElement.id") == "choose-ref"
    seen = page.locator(".board").inner_text()
    assert opened(page.evaluate("location.hash")).locator(".board").inner_text() == seen
    page.go_back()
    until(page, "document.getElementById('live').textContent.includes('relative to flask')")
    assert page.locator("#choose-ref").input_value() == "flask"


def test_it_works_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("#sort-name").press("Enter")
    until(page, "location.hash.includes('sort=name')")
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.id") == "sort-name"
    page.locator("#preset-async").press(" ")
    until(page, "location.hash.includes('async=yes')")
    assert page.locator("#preset-async").get_attribute("aria-pressed") == "true"
    page.locator("nav a[data-view=time]").press("Enter")
    until(page, "document.activeElement.tagName === 'H1'")


def test_a_partial_run_is_in_no_rank(opened, site):
    partial = min(file.stem for file in (site / "runs").iterdir())
    page = opened(f"#/board?run={partial}")
    assert "In no rank. This run is partial" in page.locator(".warning").first.inner_text()
    assert not any(page.locator(".board .rank").all_inner_texts())
    assert page.locator(".board .strip .point").count() == 0


def test_it_prints_in_black_on_white(opened):
    page = opened(color_scheme="dark")
    page.emulate_media(media="print")
    style = "body => getComputedStyle(body).backgroundColor"
    assert page.eval_on_selector("body", style) == "rgb(255, 255, 255)"
    assert not page.locator(".toolbar").is_visible()


def test_ratios_of_machines_and_over_time_are_rebased(opened):
    page = opened("#/machines?contender=fastapi&ref=django")
    assert "fastapi relative to django" in page.locator(".headline").inner_text()
    assert "across 3 machine classes" in page.locator(".headline").inner_text()
    page = opened("#/time?contender=flask&ref=fastapi")
    first = page.locator(".series tbody tr").first.locator("td").nth(2).inner_text()
    assert first.startswith(ratio(1 / 2.4186)[:3])


def test_two_machines_do_not_tell_whether_a_ratio_travels(chromium, tmp_path):  # noqa: F811
    two = [
        run_of(machine, at=f"2026-11-0{day}T02:17:00+00:00") for day, machine in enumerate(MACHINES[:2], 1)
    ]
    publish(gathered(*two), tmp_path / "two", site_html, NOW)
    page = chromium.new_page()
    page.goto((tmp_path / "two" / "index.html").as_uri() + "#/machines")
    page.wait_for_selector("main table")
    assert "3 kinds of machines are needed, and there are 2" in page.locator(".headline").inner_text()
    assert "✓ yes" not in page.locator("main").inner_text()
    page.close()


def sentence(page):
    return page.locator(".headline").inner_text()


def test_the_headline_is_of_what_was_filtered(opened):
    page = opened()
    assert sentence(page).startswith("Among 4 contenders by requests per second: in ")
    assert "fastapi is ahead, 2.3" in sentence(page) or "fastapi is ahead, 2.4" in sentence(page)
    assert "× flask. Measured 2026-11-06 on CPU 8, 8 cores, process, plan synthetic" in sentence(page)
    page = opened("#/board?framework=flask,django,stdlib")
    assert "Among 3 contenders of flask or django or stdlib by requests per second" in sentence(page)
    assert "fastapi" not in sentence(page)
    page = opened("#/board?framework=flask")
    assert "only flask is shown" in sentence(page)
    page = opened("#/board?metric=service_demand_us")
    assert "fastapi needs the least CPU per request, 0." in sentence(page)


def test_a_tie_is_no_lead(chromium, tmp_path):  # noqa: F811
    speeds = {"flask": 4_000.0, "fastapi": 4_001.0, "django": 2_000.0}
    publish(gathered(run_of(rounds=12, speeds=speeds)), tmp_path / "tie", site_html, NOW)
    few = run_of(rounds=3, speeds=speeds, at="2026-11-24T04:43:00+00:00")
    publish(gathered(few), tmp_path / "few", site_html, NOW)
    page = chromium.new_page()
    for name, words in (
        ("tie", "share the first place"),
        ("few", "nobody is ahead: there are too few rounds"),
    ):
        page.goto((tmp_path / name / "index.html").as_uri())
        page.wait_for_selector("main table")
        assert words in sentence(page)
        assert "is ahead," not in sentence(page)
    page.close()


def test_a_cost_is_never_faster(opened):
    page = opened("#/board?metric=service_demand_us")
    text = page.locator("main").inner_text()
    assert "faster" not in text
    assert "slower" not in text
    assert "▲ costs less by more than" in text
    page = opened("#/cell?contender=fastapi&scenario=hello&metric=service_demand_us")
    assert sentence(page).endswith("It costs less.")
    page = opened("#/machines?contender=fastapi&metric=service_demand_us")
    assert "costs less" in page.locator(".chart").first.inner_html()
    assert "faster" in opened().locator("main").inner_text()


def test_what_was_chosen_goes_along(opened):
    page = opened("#/board?ref=django&metric=service_demand_us&framework=fastapi,flask")
    page.locator(".board tbody tr", has_text="fastapi").locator(".cell > a").click()
    page.wait_for_selector("h1 >> text=fastapi")
    for view in ("machines", "time", "board"):
        page.locator(f"nav a[data-view={view}]").click()
        until(page, f"location.hash.startsWith('#/{view}')")
        until(page, "document.activeElement.tagName === 'H1'")
        for part in (
            "contender=fastapi",
            "scenario=hello",
            "load=32",
            "metric=service_demand_us",
            "ref=django",
            "framework=fastapi,flask",
        ):
            assert part in page.evaluate("location.hash"), view
        if view != "board":
            assert page.locator("#choose-contender").input_value() == "fastapi"
        assert page.locator("#choose-ref").input_value() == "django"
        assert page.locator("#choose-metric").input_value() == "service_demand_us"
    assert page.locator(".board .chosen").count() == 1


def test_what_became_of_a_contender_is_by_machine_and_since_a_date(opened):
    page = opened("#/board")
    page.locator("nav a[data-view=time]").click()
    page.wait_for_selector(".series")
    assert page.locator("#choose-contender").input_value() == "flask"  # what others are multiples of
    assert page.locator(".series").count() == 3
    assert [row.inner_text() for row in page.locator(".series h2 small").all()] == [
        "plan synthetic, 2 runs"
    ] * 3
    assert "requests per second" in sentence(page)
    assert page.locator(".series").first.locator(".chart").count() == 2
    assert page.locator(".chart .curve").count() == 0  # nothing joins runs
    page.fill("#choose-since", "2026-11-05")
    page.locator("#choose-since").dispatch_event("change")
    until(page, "location.hash.includes('since=2026-11-05')")
    until(page, "document.querySelectorAll('.series').length === 2")
    # How it was then: the newest run before that day, where there is none of the day itself.
    rows = [one.locator("tbody tr th").all_inner_texts() for one in page.locator(".series").all()]
    assert sorted(sorted(row) for row in rows) == [["2026-11-03", "2026-11-06"], ["2026-11-05"]]


def test_a_difference_within_the_margin_is_no_question_mark(chromium, tmp_path):  # noqa: F811
    near = run_of(rounds=12, speeds={"flask": 4_000.0, "fastapi": 4_190.0, "django": 2_000.0})
    publish(gathered(near), tmp_path / "near", site_html, NOW)
    page = chromium.new_page()
    page.goto((tmp_path / "near" / "index.html").as_uri() + "#/board")
    page.wait_for_selector("main table")
    found = page.locator(".board tbody tr", has_text="fastapi").locator(".cell").first
    assert found.locator(".sign").inner_text() == "△"
    found.locator("a").click()
    page.wait_for_selector("h2")
    assert "It is faster, perhaps by less than the margin." in sentence(page)
    page.close()


def conditioned(chromium, folder):  # noqa: F811
    """A site of runs under many conditions, and a page on it."""
    made = []
    for day, (plan, runtime, python, facts) in enumerate(
        [
            ("quick", "process", "3.13.1", {}),
            ("article", "process", "3.14.2", {}),
            ("quick", "compose", "3.13.1", {}),
            ("quick", "process", "3.13.1", {"limits": {"cpu_quota": 1.5}}),
            ("quick", "process", "3.13.1", {"placement": {"server": [0], "client": [0], "database": [0]}}),
        ],
        start=1,
    ):
        run = run_of(MACHINES[0], at=f"2026-11-0{day}T02:17:00+00:00", rounds=12, seed=day, speeds=SPEEDS)
        plan = replace(run.plan, name=plan)
        environments = {
            f"{app}_app-py{day}-0": {"python": python, "packages": {app: "1.0"}}
            for app in ("flask", "fastapi", "django", "stdlib")
        }
        stamp = {"plan": content_hash.stamp(plan)}
        known = {
            **run.fingerprint,
            "limits": {"cpu_quota": None},
            "environments": environments,
            **stamp,
            **facts,
        }
        made.append(replace(run, plan=plan, runtime=runtime, fingerprint=known))
    publish(gathered(*reversed(made)), folder / "many", site_html, NOW)
    return folder / "many" / "index.html"


def test_conditions_are_filters_and_words(chromium, tmp_path):  # noqa: F811
    address = conditioned(chromium, tmp_path).as_uri()
    page = chromium.new_page()

    def at(view):
        page.goto("about:blank")
        page.goto(address + view)
        page.wait_for_selector("main table, main .warning")

    for view in ("board", "machines", "time"):
        at(f"#/{view}")
        page.locator("#filters-summary").click()
        shown = {
            name: page.locator(f"#condition-{name} option").all_text_contents()
            for name in ("plan", "runtime", "placed", "quota", "python")
        }
        assert shown["plan"] == ["any", "article", "quick"]
        assert shown["runtime"] == ["any", "compose", "process"]
        assert shown["placed"] == ["any", "1", "1, shared with the client"]
        assert shown["quota"] == ["any", "1.5 cores' worth of CPU time", "no limit"]
        assert shown["python"] == ["any", "3.13", "3.14"]
        page.select_option("#condition-quota", "1.5")
        until(page, "location.hash.includes('quota=1.5')")
        until(page, "document.getElementById('filters-summary').textContent.includes('1 set')")
    at("#/board?quota=1.5")
    assert "CPU: 1.5 cores' worth of CPU time" in page.locator("main").inner_text()
    at("#/board?placed=1%2C%20shared")
    assert "servers on 1 core, shared with the client" in page.locator("main").inner_text()
    at("#/board?python=3.14")
    assert "plan article, Python 3.14" in sentence(page)
    at("#/machines?contender=fastapi&runtime=compose")
    assert "(plan quick, runtime compose)" in sentence(page)
    assert page.locator("main table").first.locator("tbody tr").count() == 1
    at("#/time?contender=flask")
    assert page.locator(".series").count() == 5
    at("#/board?runtime=compose&python=3.14")
    assert "No run passes. No valid run has all of this: Runtime compose; Python 3.14" in page.inner_text(
        "main"
    )
    page.close()


def test_plans_are_held_the_same_across_machines_and_said(chromium, tmp_path):  # noqa: F811
    made = []
    for day, (machine, plan) in enumerate(
        [(MACHINES[0], "quick"), (MACHINES[1], "quick"), (MACHINES[0], "article")], 1
    ):
        run = run_of(machine, at=f"2026-11-0{day}T02:17:00+00:00", rounds=12, seed=day)
        named = replace(run.plan, name=plan)
        made.append(
            replace(run, plan=named, fingerprint={**run.fingerprint, "plan": content_hash.stamp(named)})
        )
    publish(gathered(*reversed(made)), tmp_path / "plans", site_html, NOW)
    page = chromium.new_page()
    page.goto((tmp_path / "plans" / "index.html").as_uri() + "#/machines?contender=fastapi")
    page.wait_for_selector("main table")
    assert "(plan quick, runtime process)" in sentence(page)
    assert "above 1 on 2 of 2" in sentence(page)
    page.locator("#filters-summary").click()
    page.select_option("#condition-plan", "article")
    until(page, "document.querySelector('.headline').textContent.includes('plan article')")
    page.close()


def test_the_choice_of_a_run_fits_a_telephone(opened):
    page = opened(width=390)
    widths = page.locator("#choose-run").evaluate(
        """choice => {
          const style = getComputedStyle(choice);
          const brush = document.createElement("canvas").getContext("2d");
          brush.font = `${style.fontSize} ${style.fontFamily}`;
          const [arrow, edges] = [28, parseFloat(style.paddingLeft) + parseFloat(style.paddingRight)];
          const room = choice.clientWidth - edges - arrow;
          return [...choice.options].map(option => [brush.measureText(option.text).width, room]);
        }"""
    )
    assert widths
    assert all(text <= room for text, room in widths), widths


def test_the_level_of_intervals_is_explained(opened):
    notes = opened().locator(".notes").inner_text()
    assert "95 % (exactly 95.8 %)" in notes
    assert "the next higher level is shown" in notes
