from pathlib import Path

import pytest

from bench import scenarios
from bench.errors import UsageError
from tests.projects import SCENARIOS, make_project

OURS = Path(__file__).parents[1]


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


def test_a_list_of_one_is_written_out_for_each_number(tmp_path):
    many = """body = [{ name = "{token}.{n}", tags = ["{n}", "x"] }]
each = { n = [3, 5] }
expect = { status = 201, items = 3, json = [{ name = "{token}.{n}" }] }"""
    text = SCENARIOS.replace('body = { name = "{token}" }', many).replace(
        'expect = { status = 201, json = { name = "{token}" } }\n', "", 1
    )
    create = scenarios.declared(make_project(tmp_path, scenarios=text))["churn"].exchanges[0]
    assert create.body == [{"name": f"{{token}}.{n}", "tags": [str(n), "x"]} for n in (3, 4, 5)]
    assert create.expect.json == [{"name": f"{{token}}.{n}"} for n in (3, 4, 5)]


def test_a_get_may_write(tmp_path):
    text = SCENARIOS.replace('request = "GET /"', 'request = "GET /"\nwrites = true', 1)
    assert scenarios.declared(make_project(tmp_path, scenarios=text))["hello"].writes


def test_where_users_are_renamed_nobody_is_expected_to_have_the_name_of_the_seed():
    renaming = [
        scenario
        for scenario in scenarios.declared(OURS).values()
        if any(exchange.method == "PUT" for exchange in scenario.exchanges)
    ]
    assert {scenario.name for scenario in renaming} >= {"users-crud", "mixed"}
    for scenario in renaming:
        for exchange in scenario.exchanges:
            assert "User " not in f"{exchange.expect.json}{exchange.expect.contains}", exchange.name
