import re
from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.histogram import Histogram
from bench.records import Event, Verification
from tests.support.synthetic import failing, failing_some, rate, synthetic_run, with_records


def caveats_of(run, contender="flask"):
    return next(row.caveats for row in analyse(run).rows if row.cell.contender == contender)


@pytest.fixture
def clean():
    return replace(synthetic_run({"flask": 400, "django": 200}, noise=0), fingerprint={})


def first_sweep(change):
    return lambda record: change(record) if (record.slice.round, record.slice.sweep) == (1, 1) else record


def test_a_clean_run_has_no_caveats(clean):
    assert [row.caveats for row in analyse(clean).rows] == [(), ()]


def test_packages_without_a_lock_are_a_caveat_of_their_contender_alone(clean):
    why = "its packages are not locked: pyproject.toml states no version of flask"
    run = replace(clean, fingerprint={"unlocked": {"flask": why}})
    assert [row.caveats for row in analyse(run).rows] == [(why,), ()]


def test_a_python_that_was_built_otherwise_than_that_of_the_reference_is_a_caveat(clean):
    ours, theirs = "GCC 14.2.0, -O2", "GCC 12.2.0, -O3, --enable-optimizations"

    def with_builds(**builds):
        environments = {name: {"python": "3.14.0", "built": text} for name, text in builds.items()}
        facts = {"environments": environments, "environment_of": {one: one for one in builds}}
        return [row.caveats for row in analyse(replace(clean, fingerprint=facts)).rows]

    reference = clean.plan.reference
    (other,) = {one.name for one in clean.contenders} - {reference}
    assert with_builds(**{reference: theirs, other: theirs}) == [(), ()]
    found = [one for row in with_builds(**{reference: theirs, other: ours}) for one in row]
    assert found == [
        f"its Python was built otherwise than that of {reference}, so a ratio is of builds too: "
        f"{ours}; {theirs}"
    ]


def test_failures_are_told_by_kind(clean):
    run = with_records(clean, first_sweep(failing))
    apart = ", so it has no ratio and no rank"
    assert caveats_of(run) == (f"260 of 7,020 requests failed (status 500 × 260){apart}",)
    seldom = with_records(clean, first_sweep(lambda record: failing_some(record, 7)))
    assert caveats_of(seldom) == ("7 of 7,027 requests failed (status 500 × 7)",)


@pytest.mark.parametrize(
    ("within_s", "failures", "told"),
    [(0.081, {}, ""), (0.06, {}, "24 of 32"), (0.03, {}, "12 of 32"), (0.03, {"body": 1}, "12 of 32")],
)
def test_a_server_that_is_cut_short_by_its_windows_is_told_by_littles_law(clean, within_s, failures, told):
    def answering(record):
        latency = Histogram.of([round(within_s * 1e9)] * record.sample.requests)
        return replace(record, sample=replace(record.sample, latency=latency, failures=failures))

    said = [
        one for one in caveats_of(with_records(clean, answering)) if one.startswith("its answers account")
    ]
    assert len(said) == bool(told)
    assert all(f"account for {told} requests in flight" in one for one in said)


def test_answers_that_account_for_more_than_there_are_connections_are_told_as_that(clean):
    def long(record):
        latency = Histogram.of([105_000_000] * record.sample.requests)
        return replace(record, sample=replace(record.sample, latency=latency))

    (said,) = caveats_of(with_records(clean, long))
    assert said.startswith("its answers account for 42 requests in flight on 32 connections, more than there")


def test_windows_that_hold_too_few_answers_are_told_with_those_that_would_do(clean):
    def short(record):
        few = Histogram.of([142_000_000] * 32)
        sample = replace(record.sample, window_s=0.12, latency=few)
        usage = replace(record.usage, server_cpu_s=0.01)
        return replace(record, sample=sample, usage=usage) if record.slice.role == "measure" else record

    run = with_records(clean, short)
    assert caveats_of(run)[0] == (
        "not compared: windows of 120 ms are too short: on 32 connections an answer takes 120 ms, so each "
        "has 1.0 of them in a window: lead_in_s = 0.12 and window_s = 0.96 would do"
    )
    analysis = analyse(run)
    assert {row.rank for row in analysis.rows} == {None}
    assert all(one.ratio is None and "too coarse" in one.withheld for one in analysis.comparisons)


def test_a_server_that_never_answers_is_told_apart_from_one_that_was_never_asked(clean):
    def hanging(record):
        return replace(record, sample=replace(record.sample, latency=Histogram(), unfinished=32))

    said = (
        "no answer came: 864 requests were still waiting when their windows closed: "
        'longer windows (window_s = "auto" in the plan) or fewer connections'
    )
    assert caveats_of(with_records(clean, hanging)) == (said,)


def test_a_server_that_keeps_no_connection_is_told_at_its_rows_alone(clean):
    flask, django = clean.contenders
    run = replace(clean, contenders=(replace(flask, keep_alive=False), django))
    assert caveats_of(run) == (
        "its server keeps no connection: every request opens one, and that is in its numbers",
    )
    assert caveats_of(run, "django") == ()


def test_voids_are_told_with_their_evidence(clean):
    run = with_records(clean, first_sweep(lambda record: replace(record, void="foreign CPU")))
    assert caveats_of(run) == ("1 of 27 slices void (foreign CPU × 1)",)


@pytest.mark.parametrize(("rounds", "said"), [(1, "1 round"), (2, "2 rounds")])
def test_too_few_rounds_say_how_many_are_needed(rounds, said):
    run = replace(synthetic_run({"flask": 400}, rounds=rounds), fingerprint={})
    assert caveats_of(run) == (f"no interval: {said}, 6 are needed",)


def test_a_busy_client_is_named_as_the_limit(clean):
    def busier(record):
        return replace(record, sample=replace(record.sample, client_cpu_s=0.6))

    busy = with_records(clean, lambda record: record if record.slice.role == "ceiling" else busier(record))
    assert caveats_of(busy) == ("client-limited: the client's core was 93 % busy",)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (1, ()),
        (3, ("did not keep up: 97.7 % of the requests that were due got a right answer",)),
    ],
)
def test_an_open_row_that_did_not_answer_what_was_due_did_not_keep_up(lost, said):
    def lose(record):
        latency = Histogram.of([1_000_000] * (130 - lost))
        return replace(record, sample=replace(record.sample, latency=latency, unfinished=lost))

    run = synthetic_run({"flask": 400}, loads=(rate(0.5),), noise=0)
    run = with_records(run, lambda record: lose(record) if record.slice.role == "measure" else record)
    assert caveats_of(replace(run, fingerprint={})) == said


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (130, ()),
        (128, ()),
        (87, ("fell behind: 33.1 % of the requests that were due had no answer when their window",)),
    ],
)
def test_a_server_that_answers_after_its_window_fell_behind_and_is_no_cheaper(answered, said):
    """All 130 that were due are answered in the end. CPU was read only while the window was open."""

    def late(record):
        return replace(record, sample=replace(record.sample, answered=answered))

    run = synthetic_run({"flask": 400}, loads=(rate(0.5),), noise=0)
    run = with_records(run, lambda record: late(record) if record.slice.role == "measure" else record)
    run = replace(run, fingerprint={})
    (row,) = analyse(run).rows
    alike = analyse(synthetic_run({"flask": 400}, loads=(rate(0.5),), noise=0)).rows[0].service_demand_us
    assert row.service_demand_us.estimate == pytest.approx(alike.estimate * 130 / answered, rel=1e-6)
    assert tuple(caveat.partition(" closed,")[0] for caveat in caveats_of(run)) == said


def test_placement_passes_its_caveats_on():
    shared = "servers, client and database share the only core"
    run = replace(synthetic_run({"flask": 400}), fingerprint={"placement": {"caveats": [shared]}})
    assert caveats_of(run) == (shared,)


@pytest.mark.parametrize(
    ("hyperthreads", "said"),
    [
        (None, ()),
        ({"cores": [0, 1], "slowdown": -0.01}, ()),
        ({"cores": [0, 1], "slowdown": 0.05}, ()),
        (
            {"cores": [0, 1], "slowdown": 0.312},
            ("core 0 is 31 % slower while core 1 is busy: they are not two whole cores (hyperthreads)",),
        ),
    ],
)
def test_cores_that_slow_each_other_down_concern_every_row(clean, hyperthreads, said):
    run = replace(clean, fingerprint={"hyperthreads": hyperthreads})
    assert [row.caveats for row in analyse(run).rows] == [said, said]


@pytest.mark.parametrize(
    ("outcome", "said"), [("failed", "it failed its checks"), ("no checks", "no checks"), (None, "no checks")]
)
def test_only_a_contender_that_passed_its_checks_has_none(clean, outcome, said):
    verifications = () if outcome is None else (Verification(contender="flask", outcome=outcome),)
    (caveat,) = caveats_of(replace(clean, verifications=verifications))
    assert caveat.startswith(said)


def test_a_server_that_died_concerns_its_contender_alone(clean):
    died = Event(at_s=12.3, what="killed by signal 9", contender="flask")
    run = replace(clean, events=(died,))
    assert caveats_of(run) == ("its server ended (killed by signal 9), 12 s into the run",)
    assert caveats_of(run, "django") == ()


@pytest.mark.parametrize("ended", ["interrupted", "failed", None])
def test_a_partial_run_says_so_in_every_row(clean, ended):
    run = replace(clean, ended=ended)
    assert all(caveat.startswith("partial run: ") for row in analyse(run).rows for caveat in row.caveats)
    assert caveats_of(run)


@pytest.mark.parametrize(
    ("share", "event"),
    [(0.5, None), (0.0, Event(at_s=12.3, what="killed by signal 9", contender="flask"))],
)
def test_a_server_that_refuses_or_has_ended_is_not_taken_for_one_that_keeps_requests_waiting(
    clean, share, event
):
    def answering(record):
        latency = Histogram.of([30_000_000] * record.sample.requests)
        refused = {"refused": round(share * record.sample.requests)} if share else {}
        return replace(record, sample=replace(record.sample, latency=latency, failures=refused))

    run = replace(with_records(clean, answering), events=(event,) if event else ())
    assert not any("wait for about as long" in one for one in caveats_of(run))
    first = "its server ended (killed by signal 9)" if event else "3,510 of 10,530 requests failed"
    assert caveats_of(run)[0].startswith(first)


def test_a_limit_that_all_was_held_to_concerns_every_row(clean):
    run = replace(clean, fingerprint={"limits": {"caveats": ["2.5 cores' worth"]}})
    assert [row.caveats for row in analyse(run).rows] == [("2.5 cores' worth",)] * 2


def test_a_run_without_a_number_names_first_whose_server_ended(clean):
    died = Event(at_s=1.0, what="killed by signal 9", contender="flask")
    silent = with_records(clean, lambda one: replace(one, sample=replace(one.sample, latency=Histogram())))
    assert analyse(replace(silent, events=(died,))).invalid == (
        "flask: its server ended (killed by signal 9); no contender gave a right answer"
    )


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "held back by a CPU limit",
            "held back by a CPU limit × 54: 1.2 cores' worth of CPU time are allowed",
        ),
        (
            "the hypervisor took time",
            "the machine was not ours to measure on (the hypervisor took time × 54)",
        ),
        (
            "the load generator sent late",
            "the machine was not ours to measure on (the load generator sent late × 54); "
            "`bench doctor` may say why",
        ),
    ],
)
def test_a_run_whose_slices_are_void_says_of_what(clean, reason, said):
    void = with_records(clean, lambda one: replace(one, void=reason))
    run = replace(void, fingerprint={"limits": {"cpu_quota": 1.2}})
    assert analyse(run).invalid.endswith(f"slices are void: {said}")


def test_a_run_that_failed_says_of_what(clean):
    failed = replace(clean, ended="failed", events=(Event(at_s=0.0, what="there is one core"),))
    assert analyse(failed).invalid == "the run failed: there is one core"


def sent_by_users(record):
    return replace(record, sample=replace(record.sample, client="HttpUser"))


def test_locusts_own_client_is_told_with_its_cost_and_with_what_its_users_do_besides(clean):
    (line,) = caveats_of(with_records(clean, sent_by_users))
    assert re.fullmatch(
        r"client: Locust's own HttpUser: [\d,]+ µs of its CPU a request are in the figures, "
        "and wait_time is left out",
        line,
    )

    def sleepy(record):
        latency = record.sample.latency
        short = Histogram.of([10_000_000] * latency.count)  # of 80 ms
        return sent_by_users(replace(record, sample=replace(record.sample, latency=short)))

    line = caveats_of(with_records(clean, sleepy))[1]
    assert re.match(r"its users waited for answers 1\d % of the time: what their tasks do besides", line)
    assert len(caveats_of(with_records(clean, sleepy))) == 2  # nothing of windows that are too short
