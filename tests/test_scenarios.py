import pytest

from bench import scenarios
from bench.errors import UsageError
from tests.projects import SCENARIOS, make_project


def test_a_scenario_is_its_exchanges_with_their_weights(tmp_path):
    known = scenarios.declared(make_project(tmp_path))
    churn = known["churn"]
    assert [exchange.name for exchange in churn.exchanges] == ["create", "delete"]
    assert churn.weights == (2, 1)
    assert (churn.exchanges[0].method, churn.exchanges[0].path) == ("POST", "/things")
    assert churn.exchanges[0].expect.json == {"name": "{token}"}
    assert (churn.writes, known["hello"].writes) == (True, False)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('"GET /"', '"FETCH /"', r'exchanges.hello.request: write it as "GET /path"'),
        ("hex = 8", "hex = 8, letters = 2", "exchanges.create.fields.token: one of integer, hex, letters"),
        ("hex = 8", 'hex = "8"', "exchanges.create.fields.token.hex: Input should be a valid integer"),
        ("hello = 1", "helo = 1", "scenarios.hello.mix: there is no exchange helo"),
        ("hello = 1", "hello = 0", "scenarios.hello.mix: at least one exchange"),
        ("create = 2, delete = 1", "delete = 1", "delete needs created, which nothing here makes"),
        ('name = "{token}" }\nexpect', 'name = "{tokn}" }\nexpect', "create needs tokn"),
        ("consumes =", "consume =", "exchanges.delete.consume: unknown key"),
    ],
)
def test_a_mistake_is_told_by_file_and_key(tmp_path, before, after, words):
    assert before in SCENARIOS
    root = make_project(tmp_path, scenarios=SCENARIOS.replace(before, after, 1))
    with pytest.raises(UsageError, match=words):
        scenarios.declared(root)
