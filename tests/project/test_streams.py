"""A scenario of streams: what is read of it, and what is refused before anything starts."""

import pytest

from bench.errors import UsageError
from bench.model.scenario import Stream
from bench.project import plans, scenarios
from tests.support.projects import PLAN, SCENARIOS, make_project

EVENTS = """
[exchanges.events]
request = "GET /events"
expect = { stream = { events = 20, every_ms = 20, number = "n" } }
[scenarios.events]
mix = { events = 1 }
"""


def test_a_stream_has_its_events_and_their_pace(tmp_path):
    known = scenarios.declared(make_project(tmp_path, scenarios=SCENARIOS + EVENTS))
    assert known["events"].streams == (Stream(events=20, every_ms=20.0, number="n"),)
    assert known["events"].streams[0].lasts_ms == 380
    assert known["hello"].streams == ()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("events = 20", "events = 0", "expect.stream.events: at least 1"),
        ("events = 20", "events = 10001", "expect.stream.events: at most 10000"),
        ("every_ms = 20", "every_ms = 0", "expect.stream.every_ms: must be more than 0"),
        ("every_ms = 20, ", "", "expect.stream.every_ms: Field required"),
        ("every_ms = 20", "every_ms = 600", "expect.stream: it lasts 11.4 s, 10 s at most: fewer events"),
        ("expect = {", "expect = { json = {},", "expect.json: events are checked one by one"),
        ("expect = {", "expect = { status = 204,", "expect.stream: an answer without a body has no events"),
        ("expect = {", 'save = { id = "id" }\nexpect = {', "save: nothing is saved from a stream"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_by_file_and_key(tmp_path, before, after, words):
    root = make_project(tmp_path, scenarios=SCENARIOS + EVENTS.replace(before, after, 1))
    with pytest.raises(UsageError, match=rf"exchanges\.events\.{words}"):
        scenarios.declared(root)


def test_an_open_load_is_refused(tmp_path):
    root = make_project(tmp_path, scenarios=SCENARIOS + EVENTS)
    plan = PLAN.replace('"hello", "churn"', '"hello", "events"')
    (root / "plans" / "tiny.toml").write_text(
        plan.replace("connections = 4 }]", 'connections = 4 }, { kind = "open", rate = 5 }]')
    )
    with pytest.raises(UsageError, match="events under 5 requests/s: connections hold streams open"):
        plans.scenarios(plans.read(root, "tiny"), scenarios.declared(root))
