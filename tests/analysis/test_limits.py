from dataclasses import replace

import pytest

from bench.analysis import analyse
from bench.analysis.limits import Cores, Utilisation, bound_by, client_limit
from bench.loads import Closed
from tests.support.synthetic import rate, synthetic_run, with_records

TWO = Cores(server=("0",), client=("1",), database=("1",))
FOUR = Cores(server=("0", "1"), client=("2",), database=("3",))
IDLE = Utilisation(server=0.5, client=0.1, database=0.1, client_core=0.2, database_core=0.2, client_wait=0.0)


def used(**changes):
    return replace(IDLE, **changes)


@pytest.mark.parametrize(
    ("use", "cores", "workers", "limited", "bound"),
    [
        (used(), TWO, 1, False, "nothing"),
        (used(server=0.97), TWO, 1, False, "server"),
        (used(server=0.97), FOUR, 1, False, "server"),
        (used(server=0.97), FOUR, 2, False, "nothing"),
        (used(server=1.9), FOUR, 4, False, "server"),
        (used(server=1.9), Cores(), 2, False, "server"),
        (used(client=0.7, database=0.2, client_core=0.95), TWO, 1, False, "client"),
        (used(client=0.2, database=0.7, client_core=0.95, database_core=0.95), TWO, 1, False, "database"),
        (used(server=0.99, client=0.7, client_core=0.9), TWO, 1, True, "server"),
        (used(database_core=0.9), FOUR, 1, False, "database"),
        (used(client_core=0.9), FOUR, 1, False, "client"),
        (used(client=0.5, client_wait=0.4), FOUR, 1, False, "client"),
        (used(client=0.7, database=0.2, client_core=None, database_core=None), TWO, 1, False, "client"),
        (used(), TWO, 1, True, "client"),
        (Utilisation(), Cores(), 1, False, None),
        (Utilisation(client=0.99), Cores(), 1, False, "client"),
    ],
)
def test_bound_by_is_the_busiest_of_what_was_saturated(use, cores, workers, limited, bound):
    assert bound_by(use, cores, workers=workers, client_limited=limited) == bound


@pytest.mark.parametrize(
    ("throughput_rps", "ceiling_rps", "use", "cores", "said"),
    [
        (7_900, 10_000, IDLE, TWO, None),
        (8_100, 10_000, IDLE, TWO, "client-limited: 81 % of the ceiling of 10,000 req/s"),
        (8_100, None, IDLE, TWO, None),
        (
            100,
            10_000,
            used(client_core=0.85),
            TWO,
            "client-limited: the core that client and database share was 85 % busy",
        ),
        (100, 10_000, used(client_core=0.84), TWO, None),
        (150, 10_000, used(client=0.037, database=0.886, client_core=0.96, client_wait=0.4), TWO, None),
        (
            150,
            10_000,
            used(client=0.06, database=0.886, client_core=0.96),
            TWO,
            "client-limited: the core that client and database share was 96 % busy",
        ),
        (
            150,
            10_000,
            used(client=0.01, database=0.7, client_core=0.96),
            TWO,
            "client-limited: the core that client and database share was 96 % busy",
        ),
        (
            150,
            10_000,
            used(client=0.037, database=0.886, client_core=0.96),
            FOUR,
            "client-limited: the client's core was 96 % busy",
        ),
        (100, None, used(database_core=0.99), FOUR, None),
        (100, None, used(client=0.86), FOUR, "client-limited: the client's core was 86 % busy"),
        (100, None, used(client_core=0.99), FOUR, "client-limited: the client's core was 99 % busy"),
        (100, None, used(client=1.6, client_core=None), replace(FOUR, client=("2", "4"), askers=2), None),
        (100, None, used(client=1.6, client_core=None), replace(FOUR, client=(), askers=2), None),
        (
            100,
            None,
            used(client=0.9, client_core=None),
            replace(TWO, askers=2),
            "client-limited: the core that client and database share was 100 % busy",
        ),
    ],
)
def test_the_client_may_be_the_limit_near_its_ceiling_or_without_its_core(
    throughput_rps, ceiling_rps, use, cores, said
):
    assert client_limit(throughput_rps, ceiling_rps, use, cores) == said


def busy_client(record):
    """Someone else uses the client's core."""
    busy_s = record.usage.busy_s | {"1": record.usage.elapsed_s}
    return replace(record, usage=replace(record.usage, busy_s=busy_s))


def test_with_a_busy_core_rows_are_client_limited_and_not_compared():
    run = synthetic_run({"flask": 400, "django": 200, "flask~aa": 400})
    analysis = analyse(with_records(run, busy_client))
    assert [row.bound_by for row in analysis.rows] == ["client"] * 3
    assert all("client-limited" in row.client_limit for row in analysis.rows)
    assert all(row.client_limit in row.caveats for row in analysis.rows)
    assert [comparison.ratio for comparison in analysis.comparisons] == [None] * 4
    assert analysis.comparisons[0].withheld == "django and flask client-limited"
    assert analysis.noise_floors == ()


def test_a_client_limited_reference_withholds_every_ratio_and_others_only_their_own():
    run = synthetic_run({"flask": 400, "django": 200, "fastapi": 900})

    def spoilt(name):
        return with_records(
            run, lambda record: busy_client(record) if record.slice.cell.contender == name else record
        )

    def withheld(run):
        return {one.cell.contender for one in analyse(run).comparisons if one.withheld}

    assert withheld(run) == set()
    assert withheld(spoilt("fastapi")) == {"fastapi"}
    assert withheld(spoilt("flask")) == {"django", "fastapi"}


def test_a_row_is_bound_by_its_server_where_that_was_busy_and_by_nothing_where_none_was():
    def idle(record):
        return replace(record, usage=replace(record.usage, server_cpu_s=0.3 * record.usage.elapsed_s))

    run = synthetic_run({"flask": 400})
    assert analyse(run).rows[0].bound_by == "server"
    assert analyse(with_records(run, idle)).rows[0].bound_by == "nothing"


def test_two_workers_may_use_two_cores_if_there_are():
    run = synthetic_run({"flask": 400})
    workers = replace(run, contenders=(replace(run.contenders[0], workers=2),))
    wider = {"placement": {"server": [0, 1], "client": [2], "database": [3]}}
    assert analyse(workers).rows[0].bound_by == "server"
    assert analyse(replace(workers, fingerprint=wider)).rows[0].bound_by == "nothing"


@pytest.mark.parametrize("load", [Closed(connections=1), rate(0.5)], ids=["closed", "open"])
def test_any_load_has_a_ceiling_and_the_use_of_cores(load):
    row = analyse(synthetic_run({"flask": 400}, loads=(load,))).rows[0]
    assert row.ceiling.rps == pytest.approx(150_000)
    assert 0 < row.utilisation.client_core < 0.1
    assert row.utilisation.client_wait == pytest.approx(0.01)
