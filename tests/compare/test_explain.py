"""Why a head is slower: what is profiled of a verdict, and how the verdict says it."""

import json

from bench.compare.explain import explain, regressions
from bench.compare.verdict_report import document, text
from bench.profile.take import TURNS
from tests.compare.test_verdict import BASE, HEAD, analyse, conclude, measured, waiver
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
