import pytest

from bench.runtime.placement import placed


@pytest.mark.parametrize(
    ("cores", "server", "client", "database"),
    [
        ([5], (5,), (5,), (5,)),
        ([0, 1], (0,), (1,), (1,)),
        ([0, 1, 2], (0,), (1,), (2,)),
        ([0, 1, 2, 3], (0, 1), (2,), (3,)),
        ([9, 2, 4, 6, 8, 7], (2, 4, 6, 7), (8,), (9,)),
    ],
)
def test_servers_get_what_client_and_database_leave(cores, server, client, database):
    placement = placed(cores)

    assert (placement.server, placement.client, placement.database) == (server, client, database)


@pytest.mark.parametrize("cores", [None, [0], [0, 1]])
def test_shared_cores_are_a_caveat(cores):
    assert placed(cores).caveats


def test_three_cores_need_no_caveat():
    assert placed([0, 1, 2]).caveats == ()


def test_nothing_is_pinned_where_the_system_cannot():
    placement = placed(None)

    assert (placement.server, placement.client, placement.database) == (None, None, None)
