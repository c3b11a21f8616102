from dataclasses import replace

from bench.analysis import analyse
from bench.model.claim import Choice, Claim, Ground, Inquiry
from bench.records import Evidence
from bench.report.charts.style import looks_of
from bench.report.markdown import report_text
from bench.report.summary import summary
from bench.report.webpage import report_html
from tests.support.pages import read
from tests.support.synthetic import synthetic_run

NASTY = "<script>alert(1)</script>"
YES = Ground(topic="async", contender="fastapi", outcome="yes")
NO = Ground(topic="async", contender="flask", outcome="no")
FASTER = "FastAPI is faster"


def run_with(*evidence, choices=(), claims=()):
    """A run of a plan that asks about async."""
    run = synthetic_run()
    asks = Inquiry(topic="async", asks="Does it wait well?", contenders=("flask", "fastapi"))
    plan = replace(run.plan, inquiries=(asks,), choices=choices, claims=claims)
    return replace(run, plan=plan, evidence=evidence)


def seen(contender, outcome, **more):
    return Evidence(contender=contender, topic="async", outcome=outcome, shows=f"{contender} waits.", **more)


def page_of(run):
    analysis = analyse(run)
    return read(report_html(analysis, {}, looks_of(one.name for one in run.timed)))


def test_a_report_without_evidence_has_no_section_of_it():
    run = synthetic_run()
    assert not [*page_of(run).all("section", id="evidence")]
    assert "## Evidence" not in report_text(analyse(run), {})


def test_what_was_seen_is_shown_with_what_it_rests_on():
    run = run_with(
        seen("flask", "partly", output=NASTY, statements={"SELECT 1\n  FROM users": 2}),
        seen("fastapi", "yes"),
    )
    section = page_of(run).one("section", id="evidence")
    assert "Does it wait well?" in section.text
    assert "flask waits." in section.text
    assert section.one("pre").text == NASTY
    assert section.one("code").text == "2 × SELECT 1 FROM users"
    assert [cell.text for cell in section.all("td") if "outcome" in cell.attributes.get("class", "")] == [
        "partly",
        "yes",
    ]
    text = report_text(analyse(run), {})
    assert "| async | flask | partly | flask waits. |" in text
    assert "|  | fastapi | yes | fastapi waits. |" in text


def test_a_claim_of_evidence_is_held_against_it():
    claim = Claim(says="Flask cannot wait", source="a leaflet", evidence=NO)
    findings = analyse(run_with(seen("flask", "partly"), claims=(claim,))).findings
    assert [one.verdict for one in findings] == ["not supported"]
    findings = analyse(run_with(seen("flask", "no"), claims=(claim,))).findings
    assert [one.verdict for one in findings] == ["supported"]
    for nothing in ((), (seen("flask", "not looked at"),)):
        (finding,) = analyse(run_with(*nothing, claims=(claim,))).findings
        assert (finding.verdict, finding.reason) == ("cannot tell", "no probe looked at flask for it")


def test_claims_stand_with_their_topic_and_their_evidence_with_the_claim():
    claim = Claim(says="Flask cannot wait", source="a leaflet", evidence=NO)
    page = page_of(run_with(seen("flask", "partly"), claims=(claim,)))
    assert "Claimed: “Flask cannot wait”: not supported" in page.one("section", id="evidence").text
    told = page.one("section", id="claims").text
    assert "Flask cannot wait" in told
    assert "flask: partly" in told
    assert "flask waits." in told


def test_a_choice_is_given_where_all_it_stands_on_came_out_so():
    good = Choice(choose="FastAPI", when="waiting", because=(YES,))
    bad = Choice(choose="Flask", when="waiting", because=(YES, NO))
    run = run_with(seen("flask", "partly"), seen("fastapi", "yes"), choices=(good, bad))
    items = [item.text for item in page_of(run).one("ul", class_="choices").all("li")]
    assert items == [
        "FastAPI for waiting async, fastapi: yes",
        "Not borne out here: Flask for waiting async, fastapi: yes · async, flask: partly, not no",
    ]
    assert [one["holds"] for one in summary(run)["choices"]] == [True, False]
    text = report_text(analyse(run), {})
    assert "- Choose FastAPI for waiting (async, fastapi: yes)" in text
    assert "- Not borne out here: Flask for waiting" in text


def test_a_choice_of_which_nobody_looked_at_the_grounds_cannot_be_told():
    run = run_with(choices=(Choice(choose="FastAPI", when="waiting", because=(YES,)),))
    (item,) = page_of(run).one("ul", class_="choices").all("li")
    assert item.text == "Cannot tell: FastAPI for waiting async, fastapi: not looked at, not yes"
    assert "- Cannot tell: FastAPI for waiting" in report_text(analyse(run), {})


def test_a_claim_on_what_is_told_as_facts_cannot_be_told():
    claim = Claim(says="Flask is small", source="a leaflet", evidence=NO)
    (finding,) = analyse(run_with(seen("flask", "facts"), claims=(claim,))).findings
    assert (finding.verdict, finding.reason) == ("cannot tell", "its probe reports facts, no outcome")


def test_a_choice_may_stand_on_claims():
    claim = Claim(says=FASTER, source="a leaflet", evidence=YES)
    choice = Choice(choose="FastAPI", when="speed", claims=(FASTER,))
    assert analyse(run_with(seen("fastapi", "yes"), choices=(choice,), claims=(claim,))).choices[0].holds
    assert not analyse(run_with(choices=(choice,), claims=(claim,))).choices[0].holds
