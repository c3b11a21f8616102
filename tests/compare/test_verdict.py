"""What `bench diff` concludes: from runs in which it is known what each revision does."""

import json
from dataclasses import replace
from datetime import date
from random import Random
from xml.etree import ElementTree

import pytest

from bench.analysis import analyse
from bench.compare.upgrade_move import UpgradeMove
from bench.compare.verdict import concluded
from bench.compare.verdict_report import JSON, JUNIT, MARKDOWN, document, text, write_verdict
from bench.files import to_json
from bench.model.contender import SAME_AGAIN
from bench.project.waivers import Waiver
from bench.records import Queries, Try, Verification
from tests.support.synthetic import failing, failing_some, synthetic_run, with_records

BASE, HEAD = "fastapi@aaaaaaaa", "fastapi@worktree"
TODAY = date(2026, 11, 25)
READ = "SELECT users.id FROM users WHERE users.id = $1"


def measured(head=5_000.0, **changes):
    """A run of a base that answers 5,000 requests a second, its twin, and a head."""
    speeds = {BASE: 5_000.0, HEAD: head, f"{BASE}{SAME_AGAIN}": 5_000.0}
    run = synthetic_run(speeds, **{"reference": BASE, "rounds": 12, "noise": 0.01, "seed": 3, **changes})
    return replace(run, plan=replace(run.plan, baseline="aaaaaaaa"))


def conclude(run, *waivers, notes=()):
    return concluded(analyse(run), waivers, notes, today=TODAY)


def asking(run, base, head, exchange="users-read"):
    def queries(name, statements):
        return Queries(contender=name, exchange=exchange, requests=100, statements=statements)

    return replace(run, queries=(queries(BASE, base), queries(HEAD, head)))


def waiver(of="hello", metric=None, size=0.5, until=date(2026, 12, 1)):
    return Waiver(contender="fastapi", of=of, metric=metric, size=size, reason="it had to be", until=until)


@pytest.mark.parametrize(
    ("head", "overall"),
    [(5_000.0, "EQUIVALENT"), (4_300.0, "REGRESSED"), (5_800.0, "IMPROVED")],
)
def test_the_verdict_follows_what_the_head_does(head, overall):
    told = conclude(measured(head))
    assert told.overall == overall
    assert len(told.times) == 2
    assert {one.comparison.cell.contender for one in told.times} == {HEAD}


def test_what_an_upgrade_moved_is_in_the_document():
    run = measured()
    told = conclude(run)
    assert "moved" not in document(analyse(run), told, 0)
    moved = UpgradeMove(contenders=("fastapi",), package="pydantic", was="2.13.0", now=None)
    shown = json.loads(to_json(document(analyse(run), replace(told, moved=(moved,)), 0)))
    assert shown["moved"] == [
        {"contenders": ["fastapi"], "package": "pydantic", "was": "2.13.0", "now": None}
    ]


def test_a_small_change_is_inconclusive_or_equivalent_but_never_regressed():
    for seed in range(5):
        assert conclude(measured(4_930.0, seed=seed)).overall in ("EQUIVALENT", "INCONCLUSIVE")


def test_a_noise_floor_as_large_as_the_change_blocks_it():
    speeds = {BASE: 5_000.0, HEAD: 4_300.0, f"{BASE}{SAME_AGAIN}": 4_200.0}
    run = synthetic_run(speeds, reference=BASE, rounds=12, noise=0.01)
    told = conclude(replace(run, plan=replace(run.plan, baseline="aaaaaaaa")))
    assert told.overall == "INCONCLUSIVE"
    assert {one.why for one in told.times} == {"the noise floor shows as much between equals"}


def test_one_more_statement_per_request_is_a_regression_by_itself():
    told = conclude(asking(measured(), {READ: 1.0}, {READ: 2.0, "SELECT 1": 1.0}))
    assert told.overall == "REGRESSED"
    (count,) = told.regressed
    assert (count.counted, count.base, count.head) == ("statements", 1.0, 3.0)
    assert dict(count.appeared) == {READ: 1.0, "SELECT 1": 1.0}


def test_one_call_in_a_whole_count_is_not_listed_beside_what_changed():
    once, more = {"SET": 0.01}, {"SELECT 1": 1.0, "SELECT 2": 0.02}
    (count,) = conclude(asking(measured(), {READ: 1.0, "SHOW": 0.01}, {READ: 1.0, **once, **more})).regressed
    assert (dict(count.appeared), dict(count.gone)) == (more, {})
    told = conclude(asking(measured(), {READ: 2.0, "SHOW": 0.01}, {READ: 2.0, **once}))
    (count,) = [one for one in told.counts if one.counted == "statements"]
    assert (count.verdict, dict(count.appeared), dict(count.gone)) == ("equivalent", {}, {})
    each_once = {f"SELECT {number}": 0.01 for number in range(100)}  # numbers in the text: one more of each
    (count,) = conclude(asking(measured(), {READ: 1.0}, {READ: 1.0, **each_once})).regressed
    assert len(count.appeared) == 100


def counted_by(run, base, head, statements=(1.0, 1.0), exchange="users-read"):
    """Counts of a base and a head, each a way to count and its drivers."""
    known = [
        Queries(
            contender=name,
            exchange=exchange,
            requests=100 if way else 0,
            statements={READ: calls} if calls else {},
            counted_by=way,
            drivers=drivers,
            why="" if way else "it loads psycopg2, whose statements are not counted",
        )
        for name, (way, drivers), calls in zip((BASE, HEAD), (base, head), statements, strict=True)
    ]
    return replace(run, queries=(*run.queries, *known))


PG, SQLITE, NONE, NOBODY = ("PostgreSQL", ()), ("driver", ("sqlite3",)), ("driver", ()), (None, ())


def statements_of(told):
    return [(one.base, one.head, one.verdict) for one in told.counts if one.counted == "statements"]


def about_sql(run):
    told = conclude(run)
    return [note for note in told.notes if "SQL" in note], text(analyse(run), told)


@pytest.mark.parametrize(
    ("base", "head", "note"),
    [
        (
            NOBODY,
            SQLITE,
            "SQL statements were not counted for fastapi: "
            "the base: it loads psycopg2, whose statements are not counted.",
        ),
        (
            NONE,
            NONE,
            "SQL statements of fastapi are not compared: none was counted in any counted driver.",
        ),
        # It was given one, and uses another of its own.
        (PG, PG, "SQL statements of fastapi are not compared: none was counted in its PostgreSQL."),
        (
            PG,
            SQLITE,
            "SQL statements are not compared for fastapi: "
            "counted by PostgreSQL in the base, by driver in the head.",
        ),
    ],
)
def test_what_nobody_counted_is_not_said_to_be_as_it_was(base, head, note):
    run = counted_by(measured(), base, head, (0.0, 0.0))
    notes, verdict = about_sql(run)
    assert notes == [note]
    assert statements_of(conclude(run)) == []
    assert "Counts (response bytes, memory): 2 of 2 as they were." in verdict
    assert conclude(run).overall == "EQUIVALENT"


def test_one_driver_may_take_the_place_of_another():
    run = counted_by(measured(), SQLITE, ("driver", ("pymysql",)))
    assert statements_of(conclude(run)) == [(1.0, 1.0, "equivalent")]
    assert "Counts (SQL per request, response bytes, memory): 3 of 3" in about_sql(run)[1]


def test_an_exchange_without_statements_beside_one_that_has_some_is_as_it_was():
    run = counted_by(measured(), SQLITE, SQLITE)
    run = counted_by(run, SQLITE, SQLITE, (0.0, 0.0), exchange="hello")
    assert statements_of(conclude(run)) == [(1.0, 1.0, "equivalent"), (0.0, 0.0, "equivalent")]


def test_statements_of_a_head_whose_base_has_none_are_a_regression():
    run = counted_by(measured(), NONE, SQLITE, (0.0, 3.0))
    told = conclude(run)
    assert told.overall == "REGRESSED"
    assert statements_of(told) == [(0.0, 3.0, "slower")]
    assert "SQL statements 0 → 3 per request" in text(analyse(run), told)
    assert document(analyse(run), told, 1)["counts"][0]["head"] == 3.0


@pytest.mark.parametrize(
    ("base", "head", "verdict"),
    [
        (1000.0, 1010.0, "slower"),
        (1000.0, 1001.0, "slower"),
        (1000.0, 1000.4, "equivalent"),
        (1001.0, 1000.0, "faster"),
        (3.0, 3.02, "equivalent"),
        (3.0, 3.5, "slower"),
        (0.0, 0.005, "equivalent"),
        (2.0, 0.0, "faster"),
    ],
)
def test_one_more_statement_is_seen_however_many_there_are(base, head, verdict):
    run = counted_by(measured(), SQLITE, SQLITE, (base, head))
    assert [of_verdict for *_, of_verdict in statements_of(conclude(run))] == [verdict]


def test_an_exchange_whose_requests_failed_is_named_as_not_counted():
    run = counted_by(measured(), SQLITE, SQLITE)
    failed = replace(run.queries[1], failed=7)
    notes, _ = about_sql(replace(run, queries=(run.queries[0], failed)))
    assert notes == [f"SQL statements were not counted for {HEAD}, users-read: 7 requests failed."]


def test_counts_of_files_from_before_drivers_were_counted_are_postgresqls():
    assert Queries(contender="one", exchange="read", requests=1, statements={READ: 1.0}).per_request == 1.0


def test_locusts_own_client_is_told_once_for_both_sides():
    def by_users(record):
        return replace(record, sample=replace(record.sample, client="HttpUser"))

    verdict = conclude(with_records(measured(), by_users))
    told = [note for note in verdict.notes if "client: Locust's own HttpUser: " in note]
    assert len(told) == 1
    assert told[0].startswith("hello, 32 connections: client: ")
    assert not any("Locust" in note for note in conclude(measured()).notes)


def test_a_longer_response_and_more_memory_are_seen():
    def grown(record):
        if record.slice.cell.contender != HEAD:
            return record
        sample = replace(record.sample, received_bytes=record.sample.received_bytes * 2)
        usage = replace(record.usage, memory_bytes=record.usage.memory_bytes * 2)
        return replace(record, sample=sample, usage=usage)

    told = conclude(with_records(measured(), grown))
    assert {one.counted for one in told.regressed} == {"response_bytes", "memory_bytes"}
    assert conclude(measured()).overall == "EQUIVALENT"


def test_an_accepted_regression_is_a_note():
    told = conclude(measured(4_300.0), waiver())
    assert told.overall == "EQUIVALENT"
    assert len(told.waived) == 2
    assert conclude(measured(4_300.0), waiver(size=0.05)).overall == "REGRESSED"
    elsewhere = conclude(measured(), waiver(of="users-crud"))
    assert not any("waiver" in note for note in elsewhere.notes)
    expired = conclude(measured(4_300.0), waiver(until=date(2026, 11, 24)))
    assert expired.overall == "REGRESSED"
    assert "waiver expired on 2026-11-24: fastapi, hello: it had to be" in expired.notes
    assert "waiver not needed: fastapi, hello: it had to be" in conclude(measured(), waiver()).notes


def failed_checks(*names):
    return tuple(
        Verification(contender=name, outcome="failed", differences=("GET /: expected 200, got 500",))
        for name in names
    )


def only_wrong(name, count=None):
    """Every answer of *name* is wrong, or so many in each slice."""

    def change(record):
        if record.slice.cell.contender != name:
            return record
        return failing_some(record, count) if count else failing(record)

    return change


def test_a_head_that_fails_its_checks_where_the_base_passes_is_broken():
    run = with_records(
        replace(measured(), verifications=failed_checks(HEAD)),
        lambda record: None if record.slice.cell.contender == HEAD else record,
    )
    told = conclude(run)
    assert (told.overall, told.exit_code) == ("BROKEN", 1)
    assert list(map(str, told.broken)) == [
        f"{HEAD} (the head) fails its checks: GET /: expected 200, got 500"
    ]
    assert told.invalid == ()


def test_where_both_sides_fail_their_checks_nothing_can_be_judged():
    told = conclude(replace(measured(), records=(), verifications=failed_checks(HEAD, BASE), ended="failed"))
    assert (told.overall, told.exit_code, told.broken) == ("INVALID", 3, ())
    assert told.invalid[0].startswith(f"{HEAD} (the head, and the base likewise) fails its checks: GET /")


def test_a_base_that_failed_its_checks_is_told_and_not_the_head_s_fault():
    run = with_records(
        replace(measured(), verifications=failed_checks(BASE)),
        lambda record: None if record.slice.cell.contender.startswith(BASE) else record,
    )
    told = conclude(run)
    assert told.broken == told.invalid == ()
    assert any(note.startswith(f"{BASE} (the base) fails its checks") for note in told.notes)


def test_a_head_that_answers_wrongly_under_load_is_broken_with_exchange_status_and_share():
    told = conclude(with_records(measured(), only_wrong(HEAD)))
    assert (told.overall, told.exit_code) == ("BROKEN", 1)
    (fault,) = told.broken
    assert (fault.contender, fault.where, fault.of, fault.share) == ("fastapi", "load", "hello", 1.0)
    assert str(fault).startswith(f"{HEAD} (the head) gave wrong answers under load, hello: status 500 × ")
    assert {one.verdict for one in told.times} == {"invalid"}
    assert not any("EQUIVALENT" in line for line in text(analyse(measured()), told).splitlines()[2:])


def test_wrong_answers_are_wrong_also_where_the_machine_was_not_ours():
    void = with_records(measured(), lambda record: replace(only_wrong(HEAD)(record), void="others"))
    assert conclude(void).overall == "BROKEN"


def test_what_did_not_come_on_a_machine_that_was_not_ours_is_nobody_s_fault():
    def lost(record):
        if record.slice.cell.contender != HEAD:
            return replace(record, void="others")
        return replace(failing_some(record, 500, "timeout"), void="others")

    assert conclude(with_records(measured(), lost)).overall == "INVALID"


def test_a_base_that_answers_wrongly_under_load_gives_the_head_no_ratio_and_no_fault():
    told = conclude(with_records(measured(5_800.0), only_wrong(BASE, 100)))
    assert told.overall == "INCONCLUSIVE"
    assert {one.verdict for one in told.times} == {"invalid"}
    assert told.broken == told.invalid == ()
    assert any(
        note.startswith(f"{BASE} (the base) gave wrong answers under load, hello") for note in told.notes
    )


def test_where_both_answer_wrongly_under_load_nothing_can_be_judged():
    both = with_records(measured(), lambda record: only_wrong(BASE, 100)(only_wrong(HEAD, 100)(record)))
    told = conclude(both)
    assert (told.overall, told.exit_code) == ("INVALID", 3)
    assert "status 500 × " in told.invalid[0]


@pytest.mark.parametrize("seed", range(4))
def test_identical_code_that_fails_now_and_then_is_never_broken(seed):
    """About one answer in a thousand is wrong on either side, just below the limit or just beyond it."""
    random = Random(seed)

    def now_and_then(record):
        count = sum(random.random() < 0.001 for _ in range(record.sample.requests))
        return failing_some(record, count) if count else record

    assert conclude(with_records(measured(), now_and_then)).overall != "BROKEN"


def test_a_burst_of_failures_in_one_round_is_no_proof_against_the_head():
    def burst(record):
        return only_wrong(HEAD)(record) if record.slice.round == 4 else record

    told = conclude(with_records(measured(), burst))
    assert told.overall == "INVALID"
    assert told.invalid[0].endswith("that is not beyond chance")


def test_few_but_steady_failures_of_the_head_alone_are_proof():
    told = conclude(with_records(measured(), only_wrong(HEAD, 8)))
    assert told.overall == "BROKEN"
    assert 0.001 < told.broken[0].share < 0.01


def in_two_scenarios(head=5_000.0):
    return measured(head, scenarios=("hello", "users"))


def test_a_regression_elsewhere_is_told_beside_what_could_not_be_judged():
    def wrong_in_users(record):
        if record.slice.cell.scenario != "users" or record.slice.cell.contender.endswith(SAME_AGAIN):
            return record
        return failing(record)

    told = conclude(with_records(in_two_scenarios(4_300.0), wrong_in_users))
    assert (told.overall, told.exit_code) == ("REGRESSED", 1)
    assert len(told.invalid) == 1
    assert {one.comparison.cell.scenario for one in told.regressed} == {"hello"}


@pytest.mark.parametrize("head", [5_000.0, 5_800.0])
def test_a_contender_that_answers_wrongly_somewhere_is_nowhere_equivalent_or_improved(head):
    def wrong_in_users(record):
        return failing(record) if record.slice.cell.scenario == "users" else record

    told = conclude(with_records(in_two_scenarios(head), wrong_in_users))
    assert told.overall == "INVALID"
    assert {one.verdict for one in told.times} == {"invalid"}
    assert not [one for one in told.counts if one.verdict != "slower"]


def tried(*wrong, sides=(BASE, HEAD)):
    return tuple(
        Try(
            contender=name,
            exchange="stock",
            request="GET /stock",
            status=404 if name in wrong else 200,
            answer="<p>gone</p>" if name in wrong else "{}",
            wrong="expected status 200" if name in wrong else "",
        )
        for name in sides
    )


def test_what_the_first_requests_showed_is_the_verdict_before_anything_is_timed(tmp_path):
    run = replace(measured(), records=(), ended="failed", tries=tried(HEAD))
    told = conclude(run)
    assert (told.overall, told.exit_code, told.invalid) == ("BROKEN", 1, ())
    said = f"{HEAD} (the head) answers wrongly, stock: GET /stock: expected status 200, got 404 <p>gone</p>"
    assert list(map(str, told.broken)) == [said]
    write_verdict(analyse(run), told, tmp_path, told.exit_code)
    words = (tmp_path / MARKDOWN).read_text()
    assert words.startswith("**BROKEN**: the head answers wrongly where the base answers rightly.\n")
    assert f"- {said.replace('<', '&lt;')}; the base does not" in words
    kept = json.loads((tmp_path / JSON).read_text())
    assert (kept["verdict"], kept["exit_code"]) == ("BROKEN", 1)
    assert [(one["side"], one["of"], one["status"]) for one in kept["broken"]] == [("head", "stock", 404)]
    assert [(one["contender"], one["request"]) for one in kept["tries"]] == [(HEAD, "GET /stock")]
    suite = ElementTree.parse(tmp_path / JUNIT).getroot()
    (failure,) = suite.findall(".//failure")
    assert failure.get("message") == f"{said}; the base does not"
    assert (suite.get("failures"), suite.get("tests")) == ("1", "1")


def test_first_answers_that_are_wrong_on_both_sides_are_named_and_nobody_s_fault():
    told = conclude(replace(measured(), records=(), ended="failed", tries=tried(HEAD, BASE)))
    assert (told.overall, told.exit_code) == ("INVALID", 3)
    assert "stock: GET /stock: expected status 200, got 404" in told.invalid[0]


def test_a_head_that_cannot_be_served_is_broken():
    start = Try(contender=HEAD, exchange="", wrong="ended with exit status 1 (no shop today)")
    told = conclude(replace(measured(), records=(), ended="failed", tries=(start, *tried(sides=(BASE,)))))
    assert told.overall == "BROKEN"
    assert str(told.broken[0]) == f"{HEAD} (the head) cannot be served: {start.wrong}"


def test_two_sides_of_which_nothing_compares_settle_nothing_and_fail_nobody():
    run = measured()
    nothing = replace(run, records=(), plan=replace(run.plan, blocks=()), tries=tried(BASE))
    told = conclude(nothing, notes=("stock changed: compared with nothing",))
    assert (told.overall, told.exit_code, told.invalid) == ("INCONCLUSIVE", 0, ())
    assert text(analyse(nothing), told).startswith("**INCONCLUSIVE**: there is nothing to compare.")


def test_slower_is_one_family_of_throughput_down_and_cpu_up():
    """Both metrics of a slower head count as slower: their tests are one family, not two."""
    slower, faster = conclude(measured(4_300.0)), conclude(measured(5_800.0))
    assert {one.verdict for one in slower.times} == {"slower"}
    assert {one.verdict for one in faster.times} == {"faster"}
    assert len({one.adjusted_p for one in slower.times}) == 1


def test_a_run_that_was_cut_short_before_anything_was_counted_settles_nothing():
    assert conclude(replace(measured(), records=(), ended="interrupted")).overall == "INCONCLUSIVE"
    assert conclude(replace(measured(), records=(), ended="failed")).overall == "INVALID"


def test_a_run_that_was_cut_short_settles_nothing():
    told = conclude(replace(measured(4_300.0), ended="interrupted"))
    assert told.overall == "INCONCLUSIVE"
    assert len(told.times) == 2


def test_too_few_rounds_are_no_verdict():
    told = conclude(measured(4_300.0, rounds=5))
    assert told.overall == "INCONCLUSIVE"
    assert {one.why for one in told.times} == {"5 of the 6 rounds that are needed"}


def test_the_verdict_is_written_for_people_machines_and_as_test_results(tmp_path):
    run = asking(measured(4_300.0), {READ: 1.0}, {READ: 2.0})
    analysis, told = analyse(run), conclude(run, notes=("main has gone on since",))
    write_verdict(analysis, told, tmp_path, 1)
    words = (tmp_path / MARKDOWN).read_text()
    assert words.startswith("**REGRESSED**: it got slower.\n")
    assert "- fastapi, hello: req/s −14" in words
    assert "- fastapi, users-read: SQL statements 1 → 2 per request" in words
    assert f"  - +1 × `{READ}`" in words
    assert "| fastapi | hello | CPU µs/req, margin 3 % | +1" in words
    assert "A/A, fastapi@aaaaaaaa against itself in hello, CPU: 1.0" in words or "CPU: 0.99" in words
    assert "- main has gone on since" in words
    kept = json.loads((tmp_path / JSON).read_text())
    assert (kept["verdict"], kept["exit_code"], kept["base"]) == ("REGRESSED", 1, "aaaaaaaa")
    assert {one["verdict"] for one in kept["times"]} == {"REGRESSED"}
    assert kept["counts"][0]["appeared"] == {READ: 1.0}
    suite = ElementTree.parse(tmp_path / JUNIT).getroot()
    assert suite.get("failures") == str(len(suite.findall(".//failure"))) == "3"
    assert suite.get("tests") == str(len(suite.findall("testcase")))


def test_a_verdict_that_nothing_changed_is_short():
    run = measured()
    assert text(analyse(run), conclude(run)).startswith(
        "**EQUIVALENT**: nothing changed by more than its margin."
    )
    assert document(analyse(run), conclude(run), 4)["exit_code"] == 4


def of_servers(head, **usage):
    """The same, of servers that bench did not start."""
    run = with_records(measured(head), lambda record: replace(record, usage=replace(record.usage, **usage)))
    return replace(run, runtime="external")


@pytest.mark.parametrize(("head", "overall"), [(5_000.0, "EQUIVALENT"), (4_300.0, "REGRESSED")])
def test_where_cpu_of_servers_is_not_known_throughput_decides(head, overall):
    told = conclude(of_servers(head, server_cpu_s=None))
    assert told.overall == overall
    assert [one.comparison.metric for one in told.times] == ["throughput_rps"]


def test_memory_of_servers_that_lived_before_is_not_compared():
    told = conclude(of_servers(5_000.0, memory_bytes=50_000_000))
    assert "memory_bytes" not in {one.counted for one in told.counts}
    assert [one.comparison.metric for one in told.times] == ["throughput_rps", "service_demand_us"]
