"""Why a head is slower: what is profiled and counted of a verdict, and how the verdict says it."""

import json

from bench.compare.call_changes import CallsExplained, call_changes
from bench.compare.explain import calls_wanted, explain, explain_calls, regressions
from bench.compare.verdict_report import document, text
from bench.errors import CannotMeasure
from bench.profile.call_counts import Called
from bench.profile.take import TURNS
from bench.runtime.python_calls import Function
from tests.compare.test_verdict import BASE, HEAD, READ, analyse, asking, conclude, measured, waiver
from tests.profile.test_layers import explained
from tests.profile.test_take import FakeProfiler, laboratory


def test_what_got_slower_is_profiled_once_though_two_metrics_say_so():
    slower = regressions(conclude(measured(4_300.0)))
    assert [one.comparison.cell.contender for one in slower] == [HEAD]


def test_what_is_accepted_or_did_not_get_slower_is_not_profiled():
    assert regressions(conclude(measured(4_300.0), waiver())) == ()
    assert regressions(conclude(measured(5_800.0))) == ()


def test_base_and_head_of_a_regression_are_profiled_in_turns(tmp_path):
    diary, run = [], measured(4_300.0)
    slower = regressions(conclude(run))
    lab = laboratory(diary, tmp_path)
    (one,) = explain(run, slower, lab, FakeProfiler(diary), lambda server: None)
    assert (one.contender, one.scenario) == ("fastapi", "hello")
    assert f"serve {BASE} {HEAD}" in diary
    assert diary.count("attach") == 2 * TURNS


def test_the_verdict_says_where_and_without_explain_nothing_of_it():
    run = measured(4_300.0)
    analysis, told = analyse(run), conclude(run)
    found = (explained(),)
    assert "- flask, hello: where, by profiles of both: +100 µs in validation" in text(analysis, told, found)
    assert json.loads(json.dumps(document(analysis, told, 1, found)))["explained"][0]["contender"] == "flask"
    assert "where" not in text(analysis, told)
    assert "explained" not in document(analysis, told, 1)
    assert document(analysis, told, 1, ())["explained"] == []


def calls(**windows):
    """Return calls by module and function: `schemas__parse=2` is `parse` of `./schemas.py`."""
    named = {name.replace("__", "/"): calls for name, calls in windows.items()}
    return {
        Function(name.rpartition("/")[2], f"./{name.rpartition('/')[0]}.py"): Called((float(number),) * 3)
        for name, number in named.items()
    }


OF_PACKAGE, OF_CACHE = Function("Model.validate", "pydantic/main.py"), Function("<lambda>", "<string>")
BEFORE = calls(schemas__parse=2, views__read=1, views__old=1) | {OF_PACKAGE: Called((3.0,) * 3)}
AFTER = calls(schemas__parse=3, views__read=1, views__new=0.5) | {
    OF_PACKAGE: Called((1003.0,) * 3),
    OF_CACHE: Called((0.04, 0.0, 0.04)),
}
FILES = {"./": "handler", "./schemas.py": "validation", "pydantic": "validation"}


def test_calls_that_changed_are_those_of_the_project_first_then_by_size():
    changes = call_changes(BEFORE, AFTER, FILES)
    assert [(one.named, one.base, one.head, one.layer) for one in changes] == [
        ("schemas.parse", 2, 3, "validation"),
        ("views.old", 1, 0, "handler"),
        ("views.new", 0, 0.5, "handler"),
        ("pydantic.main.Model.validate", 3, 1003, "validation"),
    ]
    assert call_changes(BEFORE, BEFORE, FILES) == ()


def test_the_verdict_names_the_functions_and_how_often_a_request_calls_them():
    run = measured(4_300.0)
    analysis, told = analyse(run), conclude(run)
    found = CallsExplained(contender="flask", of="hello", changes=call_changes(BEFORE, AFTER, FILES))
    said = text(analysis, told, (explained(), found)).split("\n")
    at = said.index("- flask, hello: 4 Python functions called more or less often than in the base:")
    assert said[at + 1 : at + 5] == [
        "  - `schemas.parse` called 2 → 3 times a request, validation and serialisation",
        "  - `views.old` called 1 → 0 times a request (gone), our handlers",
        "  - `views.new` called 0 → 0.50 times a request (new), our handlers",
        "  - `pydantic.main.Model.validate` called 3 → 1,003 times a request, validation and serialisation",
    ]
    (one,) = json.loads(json.dumps(document(analysis, told, 1, (explained(), found))))["explained"]
    assert (one["contender"], one["scenario"], len(one["layers"])) == ("flask", "hello", 8)
    assert one["calls"][0] == {
        "function": "parse",
        "file": "./schemas.py",
        "layer": "validation",
        "base": 2.0,
        "head": 3.0,
    }
    assert (one["more_calls"], one["calls_unknown"]) == (0, None)


def test_ten_functions_are_shown_and_how_many_there_are():
    many = calls(**{f"views__f{number}": number for number in range(1, 13)})
    found = CallsExplained(contender="flask", of="hello", changes=call_changes({}, many, FILES))
    run = measured(4_300.0)
    said = text(analyse(run), conclude(run), (found,))
    assert said.count("times a request (new)") == 10
    assert "  - and 2 more functions" in said
    (one,) = document(analyse(run), conclude(run), 1, (found,))["explained"]
    assert (len(one["calls"]), one["more_calls"]) == (10, 2)


def test_calls_as_before_or_not_known_are_said():
    run = measured(4_300.0)
    same, unknown = (CallsExplained(contender="flask", of="hello", why=why) for why in ("", "no <Python>"))
    said = text(analyse(run), conclude(run), (same, unknown))
    assert "- flask, hello: every Python function is called as often as in the base\n" in said
    assert "- flask, hello: no &lt;Python>\n" in said


def wanted(run):
    return [
        (contender, scenario.name, [one.name for one in scenario.exchanges])
        for contender, scenario in calls_wanted(run, conclude(run))
    ]


def test_calls_explain_times_and_statements_that_regressed_and_nothing_else():
    assert wanted(measured(4_300.0)) == [("fastapi", "hello", ["hello"])]
    assert wanted(measured(5_800.0)) == []
    one_more = asking(measured(), {READ: 1.0}, {READ: 2.0}, exchange="hello")
    assert wanted(one_more) == [("fastapi", "hello", ["hello"])]


def test_calls_are_counted_on_a_base_and_a_head_of_their_own(tmp_path):
    diary, run = [], measured(4_300.0)
    counts = {BASE: BEFORE, HEAD: AFTER}
    lab = laboratory(diary, tmp_path)
    ((contender, scenario),) = calls_wanted(run, conclude(run))
    found = explain_calls(run, contender, scenario, lab, lambda server, _: counts[server.contender.name])
    assert (found.contender, found.of, found.why) == ("fastapi", "hello", "")
    assert found.changes[0].named == "schemas.parse"
    assert diary == [f"prepare {BASE} {HEAD}", f"serve {BASE} {HEAD}", "stop"]


def test_calls_that_cannot_be_counted_leave_the_verdict_and_the_reason(tmp_path):
    run = measured(4_300.0)

    def refuse(server, scenario):
        raise CannotMeasure("it has no Python")

    ((contender, scenario),) = calls_wanted(run, conclude(run))
    found = explain_calls(run, contender, scenario, laboratory([], tmp_path), refuse)
    assert (found.changes, found.why) == ((), "it has no Python")
