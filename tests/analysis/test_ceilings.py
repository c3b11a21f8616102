from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.loads import Closed
from tests.support.synthetic import rate, synthetic_run, with_records


def at_ceilings(change, run=None):
    """Change what the null server's slices show; *change* is told which (1: before, 2: after) it is."""
    run = run or synthetic_run({"flask": 400}, rounds=2)

    def changed(record):
        return change(record, record.slice.round) if record.slice.role == "ceiling" else record

    return analyse(with_records(run, changed)).rows[0]


def slower(record, by):
    latency = replace(record.sample.latency, counts=(round(record.sample.requests / by),))
    return replace(record, sample=replace(record.sample, latency=latency))


def lazy(record):
    return replace(record, sample=replace(record.sample, client_cpu_s=0.9 * record.sample.window_s))


def working(record):
    return replace(record, usage=replace(record.usage, server_cpu_s=0.97 * record.usage.elapsed_s))


@pytest.mark.parametrize("which", [1, 2])
def test_the_lower_of_before_and_after_counts(which):
    row = at_ceilings(lambda record, number: slower(record, 2) if number == which else record)
    assert row.ceiling.rps == pytest.approx(75_000, rel=1e-4)


@pytest.mark.parametrize("spoil", [lazy, working])
def test_one_that_does_not_show_the_clients_limit_is_left_out(spoil):
    row = at_ceilings(lambda record, number: spoil(slower(record, 2)) if number == 1 else record)
    assert row.ceiling.rps == pytest.approx(150_000, rel=1e-4)


@pytest.mark.parametrize("change", [lazy, working])
def test_whoever_is_far_below_what_the_client_did_all_the_same_has_no_caveat(change):
    row = at_ceilings(lambda record, number: change(slower(record, 4 * number)))
    assert row.ceiling.rps is None
    assert row.ceiling.reached_rps == pytest.approx(150_000 / 8, rel=1e-3)
    assert not any(caveat.startswith("no ceiling") for caveat in row.caveats)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lazy, "the null server kept the client 90 % busy, 95 % are needed"),
        (working, "the null server was busy 97 % itself"),
        (lambda record: replace(record, void="a load worker was lost"), "a load worker was lost"),
        (
            lambda record: replace(record, usage=replace(record.usage, server_cpu_s=None)),
            "this system does not report how busy the null server was",
        ),
        (
            lambda record: replace(record, sample=replace(record.sample, failures={"body": 3})),
            "the null server gave 3 wrong answers",
        ),
        (lambda _: None, "the null server was not measured"),
    ],
)
def test_who_comes_near_one_that_shows_nothing_has_a_caveat_that_says_why(change, why):
    row = at_ceilings(lambda record, _: change(slower(record, 320)))
    assert row.ceiling.rps is None
    assert f"no ceiling: {why}" in row.caveats
    assert row.client_limit is None


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, void="a load worker was lost"),
        lambda record: replace(record, sample=replace(record.sample, failures={"body": 3})),
    ],
)
def test_what_was_reached_does_not_count_where_it_was_void_or_wrong(change):
    row = at_ceilings(lambda record, _: change(record))
    assert row.ceiling.reached_rps == 0
    assert any(caveat.startswith("no ceiling") for caveat in row.caveats)


def test_several_load_workers_have_to_be_busy_each_on_its_core():
    run = synthetic_run({"flask": 400}, rounds=2)
    placement = run.fingerprint["placement"] | {"client": [1, 2]}
    fleet = replace(
        run,
        plan=replace(run.plan, load_workers=2),
        fingerprint={**run.fingerprint, "placement": placement},
    )

    def using(cores):
        def changed(record, _):
            cpu_s = cores * record.sample.window_s
            return replace(record, sample=replace(record.sample, client_cpu_s=cpu_s))

        return at_ceilings(changed, fleet).ceiling

    assert using(1.96).rps == pytest.approx(150_000, rel=1e-4)
    assert using(1.2).missing == "no ceiling: the null server kept the client 60 % busy, 95 % are needed"


def test_open_loads_have_the_ceiling_of_the_pilots_load():
    pilot, other = (Closed(connections=connections) for connections in (32, 4))
    run = synthetic_run({"flask": 400}, rounds=2, loads=(rate(0.5), other, pilot))

    def changed(record):
        return slower(record, 3) if record.slice.cell.load == other else record

    rows = analyse(with_records(run, lambda r: changed(r) if r.slice.role == "ceiling" else r)).rows
    told = {row.cell.load: row.ceiling.rps for row in rows}
    assert told[rate(0.5)] == told[pilot] == pytest.approx(150_000, rel=1e-4)
    assert told[other] == pytest.approx(50_000, rel=1e-4)
