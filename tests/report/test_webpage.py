"""report.html without a browser: what is in it, and that it needs nothing else."""

import re
from dataclasses import replace
from functools import cache

import pytest

from bench.analysis import analyse
from bench.analysis.measures import rounds_of
from bench.loads import Closed
from bench.model.claim import Claim, ClaimedRatio
from bench.records import Event, Queries
from bench.report import webpage
from bench.report.audit import audit
from bench.report.charts.draw import drawings
from bench.report.charts.style import looks_of
from bench.report.claims import audited, judged_table, unmeasured_table
from bench.report.forest import forest
from bench.report.glossary import explained, meanings
from bench.report.panels import panels
from bench.report.report_files import write_report
from bench.report.series import apart, series_of
from bench.report.wording import figure
from tests.report.test_claims import article_run, claiming
from tests.support.pages import read
from tests.support.synthetic import failing, rate, synthetic_run, with_records

PAIR = {"flask": 4_000, "fastapi": 9_000}
NASTY = "<script>alert(1)</script>&\"'"


def page_of(run):
    analysis, looks = analyse(run), looks_of(contender.name for contender in run.contenders)
    shown = panels(analysis)
    pictures = filter(None, (audit(analysis), forest(analysis)))
    drawn = {one.title: drawings(one, looks) for one in (*pictures, *apart(shown), *series_of(shown))}
    return webpage.report_html(analysis, drawn, looks)


def busy_client(record):
    """The client's core was busy all the time: what FastAPI answers is a bound."""
    if record.slice.cell.contender != "fastapi":
        return record
    return replace(record, usage=replace(record.usage, busy_s={"0": 0.0, "1": record.usage.elapsed_s}))


def cells(row):
    return [cell.text for cell in row.content if not isinstance(cell, str)]


def body_rows(page, section):
    """The rows of the first table of a section that are not titles and not rounds."""
    table = next(page.one("section", id=section).all("table"))
    bodies = [body for body in table.content if not isinstance(body, str) and body.tag == "tbody"]
    rows = [row for body in bodies for row in body.content if not isinstance(row, str)]
    return [row for row in rows if row.attributes.get("class") not in ("group", "rounds")]


SWEPT = [*(Closed(connections=n) for n in (1, 8, 32)), *map(rate, (0.2, 0.5, 0.9))]
RUNS = {
    "usual": synthetic_run(rounds=6, scenarios=("hello", "users-read")),
    "series": synthetic_run(PAIR, loads=SWEPT, rounds=6, slo_ms=100),
    "one contender, one round": synthetic_run({"flask": 400}, rounds=1, sweeps=1),
    "nothing measured": replace(synthetic_run(rounds=1), records=()),
    "only failures": with_records(synthetic_run(PAIR, rounds=1), failing),
    "client-limited": with_records(synthetic_run(PAIR), busy_client),
    "claims": article_run(),
    "nothing known of it": replace(synthetic_run(PAIR, rounds=1), verifications=(), fingerprint={}),
}


@cache
def html_of(name):
    return page_of(RUNS[name])


@pytest.mark.parametrize("name", RUNS)
def test_the_page_needs_nothing_outside_itself_and_its_links_lead_somewhere(name):
    html = html_of(name)
    page = read(html)
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert not list(page.all("link"))
    assert "@import" not in html
    for element in page.all():
        assert "src" not in element.attributes
        for name in ("href", "xlink:href"):
            link = element.attributes.get(name, "#answer")
            assert link.startswith("#")
            assert link[1:] in ids
        for name in ("aria-controls", "data-term"):
            assert element.attributes.get(name, "answer") in ids
    assert set(re.findall(r"url\(#?([^)]*)\)", html)) <= set(ids)


@pytest.mark.parametrize("name", RUNS)
def test_every_chart_has_words_for_it_and_a_table_beside_it(name):
    page = read(html_of(name))
    for section in page.all("section"):
        for chart in section.all(role="img"):
            assert chart.attributes["aria-label"]
            assert list(section.all("table"))


def test_everything_stands_in_its_order():
    page = read(html_of("usual"))
    sections = [section.attributes.get("id") for section in page.all("section")]
    assert sections == [
        "answer", "cost", "panel-1", "panel-2", "caveats", "method", "statements", "machine", "words",
    ]  # fmt: skip
    assert [one.attributes["scope"] for one in page.one("section", id="cost").all("th", scope="rowgroup")]
    assert "client and database share a core" in page.one("section", id="answer").text


def test_claims_stand_after_the_scenarios_with_their_verdicts():
    run = RUNS["claims"]
    page = read(page_of(run))
    sections = [section.attributes.get("id") for section in page.all("section")]
    assert sections.index("claims") == sections.index("workers") + 1 == sections.index("panel-1") + 2
    assert page.one("nav").one("a", href="#claims").text == "Claims"
    claims = page.one("section", id="claims")
    assert (
        claims.one("p", class_="lead").text == "Of 27 claims: 3 supported, 3 not supported, 21 cannot tell."
    )
    judged, untold = claims.all("table")
    first, *_ = audits = audited(analyse(run))
    assert [{*cells(next(table.all("tr")))} for table in (judged, untold)] == [
        {column.heading for column in table.columns}
        for table in (judged_table(audits), unmeasured_table(audits))
    ]
    assert cells(next(next(judged.all("tbody")).all("tr"))) == [
        "FastAPI, hello world the source article, benchmark table",
        "not supported",
        "15,000 req/s 2.1 ms",
        "10,429 (10,346–10,572) req/s mean 3.08 ms with 32 in flight",
        "6 × flask",
        "2.43 2.39–2.47",
        first.why,
    ]
    assert [len(list(next(table.all("tbody")).all("tr"))) for table in (judged, untold)] == [15, 12]


def test_verdicts_on_claims_differ_in_more_than_their_words():
    claims = read(html_of("claims")).one("section", id="claims")
    for verdict, count in (("supported", 3), ("not supported", 3), ("cannot tell", 9)):
        told = [cell.text for cell in claims.all("td", class_=verdict.replace(" ", "-"))]
        assert told == [verdict] * count


def test_a_plan_without_claims_has_no_section_of_them():
    page = read(html_of("usual"))
    assert not list(page.all(id="claims"))
    assert not list(page.one("nav").all("a", href="#claims"))


@pytest.mark.parametrize("kind", [slice(0, 3), slice(-3, None)], ids=["judged", "untold"])
def test_claims_of_one_kind_have_one_table(kind):
    run = RUNS["claims"]
    claims = read(page_of(claiming(run, *run.plan.claims[kind]))).one("section", id="claims")
    assert len(list(claims.one("tbody").all("tr"))) == 3
    assert all(notes.text for notes in claims.all("ul"))


def test_how_each_contender_was_served_is_told():
    machine = read(html_of("usual")).one("section", id="machine")
    served = {cells(row)[0]: cells(row)[1:] for row in next(machine.all("tbody")).all("tr")}
    assert served["fastapi FastAPI on uvicorn"] == ["", "wsgi", "1", "1", "gunicorn app:app"]


def test_text_from_outside_is_shown_and_never_run():
    def nasty(record):
        sample = replace(record.sample, failures={NASTY: 1}, examples=(NASTY,))
        return replace(record, sample=sample, void=NASTY if record.slice.sweep == 1 else None)

    ratio = ClaimedRatio(
        contender="flask", reference=f"{NASTY}-x", scenario=NASTY, connections=32, at_least=1.0
    )
    claims = (
        Claim(says=NASTY, source=NASTY, ratio=ratio),
        Claim(says=NASTY, source=NASTY, needs=NASTY),
    )
    run = with_records(synthetic_run({"flask": 400, f"{NASTY}-x": 200}, rounds=6, scenarios=(NASTY,)), nasty)
    run = replace(
        run,
        plan=replace(run.plan, name=NASTY, about=NASTY, claims=claims),
        queries=(Queries(contender="flask", exchange=NASTY, requests=1, statements={NASTY: 1.0}),),
        events=(Event(at_s=1.0, what=NASTY, contender="flask", log=NASTY),),
        fingerprint={NASTY: NASTY},
    )
    html = page_of(run)
    assert html.count("<script>") == 1  # ours
    assert not any("alert(1)" in script.text for script in read(html).all("script"))
    assert html.count("&lt;script&gt;alert(1)") > 20
    assert read(html).one("section", id="claims").text.count(NASTY) == 6


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (replace(RUNS["usual"], ended="interrupted"), "Partial run: interrupted."),
        (replace(RUNS["usual"], ended=None), "Partial run: still going, or killed."),
        (
            replace(RUNS["usual"], ended="failed"),
            "Not valid: the run failed. There is no number here to use.",
        ),
        (
            RUNS["only failures"],
            "Not valid: no contender gave a right answer: status 500 × 7,915 of 7,915 (100%). There is no "
            "number here to use.",
        ),
    ],
    ids=["interrupted", "killed", "failed", "only failures"],
)
def test_a_run_that_is_not_whole_says_so_before_anything_else(run, said):
    main = read(page_of(run)).one("main")
    first = next(part for part in main.content if not isinstance(part, str))
    assert first.attributes["class"] == "warning"
    assert said in " ".join(one.text for one in main.all(class_="warning"))


def test_a_whole_run_warns_of_nothing():
    assert not list(read(html_of("usual")).all(class_="warning"))


def test_cost_is_cores_per_thousand_requests_and_memory_per_worker():
    run = synthetic_run({"flask": 4_000, "fastapi:workers=2": 8_000}, noise=0)
    run = replace(
        run,
        contenders=tuple(replace(one, workers=2) if one.name != "flask" else one for one in run.contenders),
    )
    run = with_records(
        run, lambda record: replace(record, usage=replace(record.usage, memory_bytes=100 * 2**20))
    )
    fastapi, flask = (cells(row) for row in body_rows(read(page_of(run)), "cost"))
    assert fastapi[0] == "FastAPI on uvicorn fastapi:workers=2"
    assert fastapi[1:3] == ["8,000 8,000–8,000", "2.00 2.00–2.00"]
    # 0.99 cores answer 4,000 a second, so 0.2475 answer 1,000
    assert flask[4] == "0.247 0.247–0.247"
    assert (fastapi[-1], flask[-1]) == ("50", "100")


def test_latency_is_that_at_one_rate_for_all_where_the_run_has_one():
    closed = Closed(connections=32)
    alone = read(page_of(synthetic_run(PAIR, loads=(closed, rate(0.8)))))
    common = read(page_of(synthetic_run(PAIR, loads=(closed, rate(0.8, of="slowest")))))
    assert all(cells(row)[3].endswith(" at saturation") for row in body_rows(alone, "cost"))
    assert all(cells(row)[3].endswith(" at 3,200/s") for row in body_rows(common, "cost"))
    assert "no rate was the same for all" in alone.one("section", id="cost").text


def test_ties_and_bounds_are_called_so():
    tied = read(page_of(synthetic_run({"flask": 4_000, "django": 4_000})))
    assert any("tie, " in cells(row)[2] for row in body_rows(tied, "cost"))
    limited = read(html_of("client-limited"))
    rows = {cells(row)[0]: cells(row) for row in body_rows(limited, "cost")}
    assert rows["FastAPI on uvicorn fastapi · client-limited"][1].startswith("≥ ")
    assert rows["FastAPI on uvicorn fastapi · client-limited"][2] == "–"


def test_a_row_opens_to_its_rounds():
    run = synthetic_run(PAIR, rounds=6)
    page = read(page_of(run))
    openers = list(page.all("button", class_="opener"))
    assert [opener.attributes["aria-expanded"] for opener in openers] == ["false", "false"]
    rounds = {cell.contender: told for cell, told in rounds_of(run).items()}
    for opener, name in zip(openers, ("fastapi", "flask"), strict=True):
        opened = page.one("tr", id=opener.attributes["aria-controls"])
        assert "hidden" in opened.attributes
        rows = [cells(row) for row in next(opened.all("tbody")).all("tr")]
        assert [row[:2] for row in rows] == [
            [str(one.number), figure(one.throughput_rps)] for one in rounds[name]
        ]


def test_every_void_and_every_caveat_is_on_the_page():
    def void(record):
        place = (record.slice.cell.contender, record.slice.round, record.slice.sweep)
        return replace(record, void="foreign CPU 31 %") if place == ("flask", 2, 1) else record

    text = read(page_of(with_records(synthetic_run(PAIR), void))).one("section", id="caveats").text
    assert "1 void slice" in text
    assert "flask hello 2 1 foreign CPU 31 %" in text
    assert "hello, 32 connections: flask: 1 of 27 slices void" in text


def test_colours_are_variables_of_the_page_so_that_they_turn_dark():
    page = read(html_of("usual"))
    drawn = [element for chart in page.all(role="img") for element in chart.all()]
    styles = " ".join(element.attributes.get("style", "") for element in drawn)
    assert not re.search(r"#[0-9a-f]{6}", styles)
    assert {"var(--ink)", "var(--grid)", "var(--paper)"} <= set(re.findall(r"var\(--\w+\)", styles))


def test_words_mean_what_the_glossary_says():
    told = meanings()
    assert told["throughput"] == "verified responses per second"
    assert told["check"] == "a test of the contract against a URL, in apps/checks/"
    assert "`" not in "".join(told.values())
    text = read(page_of(RUNS["usual"])).one("section", id="words").text
    assert all(f"{word} {meaning}" in text for word, meaning in told.items())


def test_a_sentence_explains_a_word_where_it_is_first_used_whole():
    html = str(explained("Ceiling <b>: rounds (1.5–2.0), a round and a ceiling, flags"))
    assert html.count('class="term"') == 2
    assert '<a class="term" href="#word-ceiling" data-term="word-ceiling">Ceiling</a>' in html
    assert "&lt;b&gt;" in html
    assert '<span class="whole">(1.5–2.0)</span>' in html


@pytest.mark.slow
def test_the_largest_run_fits_on_a_page_that_can_be_mailed(tmp_path):
    names = [f"scenario-{number}" for number in range(9)]
    run = synthetic_run(scenarios=names, rounds=20)
    assert write_report(run, tmp_path).stat().st_size < 3_000_000
