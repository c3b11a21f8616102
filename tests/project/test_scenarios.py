from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.project import scenarios
from tests.support.projects import SCENARIOS, make_project

OURS = Path(__file__).parents[2]


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
        ("hex = 8", "hex = 8, letters = 2", "exchanges.create.fields.token: one of integer ="),
        ("hex = 8", 'hex = "8"', "exchanges.create.fields.token.hex: Input should be a valid integer"),
        ("hello = 1", "helo = 1", "scenarios.hello.mix: there is no exchange helo"),
        ("hello = 1", "hello = -1", "scenarios.hello.mix.hello: at least 0"),
        ("hello = 1", "hello = 0", "scenarios.hello.mix: at least one exchange needs a weight of 1 or more"),
        (
            "delete = 1",
            "delete = 0",
            "scenarios.churn.mix.delete: with weight 0 it is sent for",
        ),
        ('consumes = "created"', 'needs = ["made"]', "exchanges.delete.needs: made is saved by no exchange"),
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


EXCHANGE = """
[exchanges.x]
request = "POST /things/{id}"
fields = { id = { integer = [1, 10] } }
%s
[scenarios.x]
mix = { x = 1 }
"""


def read(tmp_path, text: str):
    return scenarios.declared(make_project(tmp_path, scenarios=text))["x"].exchanges[0]


@pytest.mark.parametrize("name", ["user-id", " id ", "größe", "2nd", "user.id", ""])
def test_a_placeholder_that_cannot_be_written_is_refused(tmp_path, name):
    text = EXCHANGE.replace("{id}", f"{{{name}}}").replace("{ id =", f'{{ "{name}" =') % ""
    with pytest.raises(UsageError, match=r"scenarios.toml: exchanges.x.*letters of A to Z, digits and _"):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["userId", "id2", "_x", "ID"])
def test_a_placeholder_of_letters_digits_and_underscores_is_read(tmp_path, name):
    text = EXCHANGE.replace("{id}", f"{{{name}}}").replace("{ id =", f"{{ {name} =") % ""
    assert read(tmp_path, text).fields.keys() == {name}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('expect = { items = "3" }', "exchanges.x.expect.items: write a number, or numbers by quoted paths"),
        ("expect = { items = { data.results = 3 } }", 'expect.items: .* { "data.results" = 20 }'),
        ('expect = { items = { "data..x" = 3 } }', "expect.items.data..x: it is no path of keys"),
        ('expect = { items = { "data" = -1 } }', "expect.items.data: -1: a list has 0 or more"),
        (
            'expect = { items = { "a.b" = 1 }, json = { a = { b = [1, 2] } } }',
            "expect.items.a.b: 1, but json shows 2",
        ),
        (
            'expect = { items = { "a.b" = 1 }, json = { a = { b = 2 } } }',
            "expect.items.a.b: it is the length of an array, but json there is none",
        ),
        ('headers = { X-A = "{user-id}" }', r"exchanges.x.headers: \{user-id\} is no placeholder"),
        ('headers = { X-A = "{user id}" }', r"exchanges.x.headers: \{user id\} is no placeholder"),
        ('headers = { X-A = "{idd}" }', "exchanges.x.headers: x needs idd, which nothing here makes"),
        ('headers = { "X A" = "1" }', "exchanges.x.headers: 'X A' is no name of a header"),
        ("headers = { X-A = 1 }", "exchanges.x.headers.X-A: Input should be a valid string"),
        ('headers = { X-A = "a\\nb" }', "exchanges.x.headers.X-A: a header is one line of text"),
        (
            'headers = { Content-Length = "1" }',
            "exchanges.x.headers.Content-Length: it follows from the body",
        ),
        ('headers = { A = "1", a = "2" }', "exchanges.x.headers: a header is named twice"),
        ('body = { a = "{ id }" }', r"exchanges.x.body: \{ id \} is no placeholder"),
        ('body = { a = ["{idd}"] }', "exchanges.x.body: x needs idd"),
        ('body = { "{id}" = 1 }', r"exchanges.x.body: \{id\} is a key"),
        ('text = "{idd}"', r"exchanges.x.text: x needs idd.*braces stay as they are in a longer text"),
        ('form = { a = "{idd}" }', "exchanges.x.form: x needs idd"),
        ("form = { a = { b = 1 } }", "exchanges.x.form.a: a text, a number, true or false"),
        ('form = { a = "1" }\nbody = 1', "exchanges.x: body and form: a request has one body"),
        ("body = nan", "exchanges.x.body: JSON knows neither nan nor inf"),
        ("expect = { json = [inf] }", "exchanges.x.expect.json: JSON knows neither nan nor inf"),
        (
            'headers = { Content-Type = "application/x-www-form-urlencoded" }\nbody = { a = 1 }',
            "exchanges.x.body: it is sent as JSON, but Content-Type says application/x-www-form-urlencoded",
        ),
        (
            'headers = { content-type = "text/plain" }\nform = { a = 1 }',
            "exchanges.x.form: it is sent as application/x-www-form-urlencoded, but",
        ),
        ('expect = { json = { a = "no {idd}" } }', "exchanges.x.expect.json: x needs idd"),
        ('expect = { json = { a = "{idd:text}" } }', "exchanges.x.expect.json: x needs idd"),
        ('expect = { json = { a = "{id:str}" } }', r"exchanges.x.expect.json: \{id:str\}: write \{id:text\}"),
        ('body = { a = "{id+1:int}" }', r"exchanges.x.body: \{id\+1:int\}: write \{id:text\}"),
        ("expect = { items = 1, json = [1, 2] }", "exchanges.x.expect.items: 1, but json shows 2"),
        ("expect = { items = 1, json = { a = 1 } }", "exchanges.x.expect.items: .*write a list"),
        ("expect = { items = -1 }", "exchanges.x.expect.items: -1: a list has 0 or more"),
        ("expect = { status = 99 }", "exchanges.x.expect.status: 99: answers have one from 200 to 599"),
        (
            'expect = { status = 204, contains = "x" }',
            "exchanges.x.expect.contains: an answer with status 204",
        ),
        ("each = { n = [1, 2] }", r"exchanges.x.each.n: no list of one item has \{n\} in it"),
        ('each = { n = [2, 1] }\nbody = ["{n}"]', r"exchanges.x.each.n: \[2, 1\]: the lower bound first"),
        ('save = { a = "css:form input@value" }', r"save.a: css: 'form input@value': a descendant \(' '\)"),
        ('save = { a = "css:" }', "save.a: css: '' cannot be read"),
        ('save = { a = "css:input[name^=c]@value" }', "save.a: css: .*: \\^= is not known here"),
        ('save = { a = "regex:(a+)+b" }', "save.a: regex: a repeat inside of a repeat"),
        ("save = { a = 'regex:a(' }", "save.a: regex: no regular expression: missing"),
        (
            'save = { a = "css:i", b = "id" }',
            "save.a: css finds values in a page, but this",
        ),
        (
            'save = { a = "css:i" }\nexpect = { status = 204 }',
            "save.a: an answer with status 204 has no",
        ),
        ('save = { a = "CSS:i" }', "save.a: 'CSS:i' cannot be read: write a path of keys"),
        ('save = { "a-b" = "id" }', r"exchanges.x.save.a-b: \{a-b\} cannot be written"),
        *(
            (f'save = {{ a = "{source}" }}', "exchanges.x.save.a: .*write a path of keys")
            for source in (
                *("", ".", "user.", "user..token", "$.user.token", "items[0].id", " id"),
                *("header:", "header: ETag", "cookie:", "headers:ETag", "Header:ETag", "json:id"),
            )
        ),
        ('consumes = "id"', "exchanges.x.consumes: id is a field"),
        ('consumes = "nobody"', "exchanges.x.consumes: nobody is saved by no exchange"),
    ],
)
def test_what_would_be_sent_or_expected_otherwise_than_meant_is_refused(tmp_path, more, words):
    with pytest.raises(UsageError, match=words) as refused:
        read(tmp_path, EXCHANGE % more)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("expect = { items = 2 }", "exchanges.x.expect.items: an answer to HEAD has no body"),
        ('save = { a = "id" }', "exchanges.x.save.a: an answer to HEAD has no body"),
    ],
)
def test_nothing_of_a_body_is_expected_of_an_answer_to_head(tmp_path, more, words):
    text = (EXCHANGE % more).replace('"POST ', '"HEAD ')
    assert '"HEAD ' in text
    with pytest.raises(UsageError, match=words):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            "id = { integer = [1, 10] }, other = { hex = 4 }",
            r"exchanges.x.fields.other: \{other\} is not used",
        ),
        ("id = { integer = [2, 1] }", r"exchanges.x.fields.id.integer: \[2, 1\] is empty"),
        ("id = { hex = 0 }", "exchanges.x.fields.id.hex: at least 1"),
    ],
)
def test_a_field_that_is_empty_or_used_nowhere_is_refused(tmp_path, fields, words):
    with pytest.raises(UsageError, match=words):
        read(tmp_path, EXCHANGE.replace("id = { integer = [1, 10] }", fields) % "")


def test_only_numbers_can_be_added_to(tmp_path):
    text = EXCHANGE.replace("{id}", "{id+1}").replace("integer = [1, 10]", "hex = 4") % ""
    with pytest.raises(UsageError, match=r"exchanges.x.request: \{id\+1\}: id is no integer"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "more",
    [
        'body = { query = "query { user(id: {id}) { name {first} } }", variables = "{\\"a\\": 1}" }',
        'text = "{ viewer { name } }"',
        'headers = { X-Json = "{\\"a\\": 1}" }',
        'expect = { contains = "<style>p {color}</style> {id}" }',
        'save = { token = "user.token", first = "items.0.id", tag = "header:ETag?", lang = "xml:lang" }',
        'save = { t = "css:input[name=csrf]@value", u = \'regex:name="csrf" value="([^"]+)"\' }',
        'headers = { Content-Type = "application/vnd.api+json" }\nbody = "a text"',
    ],
)
def test_braces_that_are_meant_and_saves_of_all_kinds_are_read(tmp_path, more):
    exchange = read(tmp_path, EXCHANGE % more)
    assert (exchange.text is None) == ("text =" not in more)


def test_a_body_that_is_text_by_its_content_type_is_sent_as_it_is(tmp_path):
    more = 'headers = { content-type = "application/x-www-form-urlencoded" }\nbody = "a=b&c={id}"'
    exchange = read(tmp_path, EXCHANGE % more)
    assert (exchange.body, exchange.text) == (None, "a=b&c={id}")


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
