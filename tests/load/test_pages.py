"""Values of hidden form fields, found in pages of all kinds."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.answers import check
from bench.load.mix import Mix
from bench.load.null.responder import responder
from bench.load.null.right_answers import answers
from bench.load.pages import LONGEST, found_in
from bench.load.responses import Heads, read_response
from bench.model.scenario import Exchange, Expect, Scenario
from bench.project.saves import MISSING
from tests.load.test_requests import first, head

PAGE = """<!DOCTYPE html><title>é</title><!-- <input name="csrf" value="comment"> -->
<script>document.write('<input name="csrf" value="script">')</script>
<form id=login class="wide new"><input type=hidden name='csrf' value="a&amp;b&quot;" value="second">
<INPUT NAME=csrf VALUE=later><p class=new>one <p>two</p> <b>three</b></p> four</form>""".encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("input[name=csrf]@value", 'a&b"'),
        ("input@type", "hidden"),
        ("form#login.new.wide@class", "wide new"),
        ("p.new", "one two three"),
        ("title", "é"),
        ("[value=later]@name", "csrf"),
        ("input", ""),
        ("form.narrow@id", MISSING),
        ("input[name=csrf]@nothing", MISSING),
        ("select", MISSING),
    ],
)
def test_the_first_element_that_is_meant_has_the_value(name, value):
    assert found_in(PAGE, "css", name) == value or value is found_in(PAGE, "css", name)


def test_a_pattern_finds_its_group_or_all_that_it_matches():
    assert found_in(PAGE, "regex", r"name='csrf' value=\"([^\"]+)\"") == "a&amp;b&quot;"
    assert found_in(PAGE, "regex", "VALUE=[a-z]+") == "VALUE=later"
    assert found_in(PAGE, "regex", "nothing=(.)") is MISSING


def test_the_latest_hidden_field_counts_alone():
    form = Exchange(name="form", method="GET", path="/", save={"csrf": "css:input@value"})
    saved = {}
    for token in (b"one", b"two"):
        assert check(first(form), head(), b'<input value="%b">' % token, saved) is None
    assert saved == {"csrf": ["two"]}
    assert check(first(form), head(), b"<p>", saved) == ("body", "expected css:input@value to save, got none")


@given(st.binary(max_size=300) | st.text("<>!-[]/='\"& \n\0aASCRIPTinputx", max_size=300).map(str.encode))
def test_no_page_makes_it_fail(body):
    for place, name in (("css", "input@x"), ("css", "a"), ("regex", 'a="([^"]*)"')):
        value = found_in(body, place, name)
        assert value is MISSING or isinstance(value, str)


@pytest.mark.parametrize(
    "piece",
    [b"<a", b"<!--", b"<![", b"</a", b"<a b='", b"&#1", b"<a x=", b"<script>", b"<!a", b"<?", b"<a b=\"'>"],
)
def test_an_unkind_page_is_read_in_bounded_time(piece):
    body = piece * (LONGEST // len(piece))
    began = time.process_time()
    found_in(body, "css", "input@x")
    assert time.process_time() - began < 5


FORM = Exchange(
    name="form",
    method="GET",
    path="/login",
    expect=Expect(contains="<h1>Log in</h1>"),
    save={"csrf": "css:input.x[name=csrf]@value", "key": 'regex:key="([^"]{3})"', "sign": r"regex:a=(\W)"},
)
LOGIN = Exchange(
    name="login",
    method="POST",
    path="/login",
    form={"csrf": "{csrf}", "key": "{key}", "sign": "{sign}"},
    consumes="csrf",
    expect=Expect(status=302),
    save={"session": "cookie:sessionid"},
)
HOME = Exchange(name="home", method="GET", path="/", needs=("session",), expect=Expect(contains="hello"))


def test_the_null_server_shows_values_that_are_found():
    scenario = Scenario(name="s", exchanges=(FORM, LOGIN, HOME), weights=(1, 1, 2))
    respond, saved, sent = responder(answers(scenario)), {}, []
    requests = Mix(scenario, host="h").requests(1, 0, saved)
    for _ in range(100):
        request = next(requests)
        sent.append(request.template.exchange.name)
        found, body = read_response(respond(request.payload), Heads())
        assert check(request, found, body, saved) is None
    assert {*sent} == {"form", "login", "home"}


def test_what_is_needed_is_fetched_first_in_its_order_and_weight_0_is_for_that_alone():
    scenario = Scenario(name="s", exchanges=(HOME, LOGIN, FORM), weights=(1, 0, 0))
    mix, saved, sent = Mix(scenario, host="h"), {}, []
    respond = responder(answers(scenario))
    draw = mix.drawing(1, 0)
    for _ in range(20):
        request = draw(saved)
        sent.append(request.template.exchange.name)
        assert check(request, *read_response(respond(request.payload), Heads()), saved) is None
    assert sent == ["form", "login"] + ["home"] * 18
    assert mix.is_set_up
    assert mix.due_first({}).exchange.name == "form"
    assert mix.due_first({"csrf": ["1"], "key": ["1"], "sign": ["-"]}).exchange.name == "login"
