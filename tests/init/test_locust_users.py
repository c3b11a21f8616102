import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.init import locust_users
from bench.init.scenarios_file import readable, table, written
from bench.project import scenarios

USER = """
import random, uuid
from locust import HttpUser, task
IDS = [3, 5, 9]
class Someone(HttpUser):
    base = "/api"
    @task
    def one(self):
{}
"""


def proposal(body, template=USER):
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return locust_users.proposal(template.format(lines), "locustfile.py")


AB = {"n": {"values": ["a", "b"]}}


def only(body):
    (draft,) = proposal(body).drafts
    return draft


@pytest.mark.parametrize(
    ("body", "request_", "fields"),
    [
        ('self.client.get("/a b")', "GET /a%20b", {}),
        ('self.client.get(f"/u/{random.randint(1, 9)}")', "GET /u/{n}", {"n": {"integer": [1, 9]}}),
        ('self.client.get("/u/%d" % random.randrange(9))', "GET /u/{n}", {"n": {"integer": [0, 8]}}),
        (
            'self.client.get("/u/{}/{x}".format(random.choice(IDS), x=4))',
            "GET /u/{n}/4",
            {"n": {"values": [3, 5, 9]}},
        ),
        ('self.client.get("/u/" + str(uuid.uuid4()))', "GET /u/{uuid}", {"uuid": {"uuid": True}}),
        ('self.client.get(self.base + "/x", params={"q": "a b", "n": 2})', "GET /api/x?q=a+b&n=2", {}),
        ('self.client.request("PATCH", "/a")', "PATCH /a", {}),
        ('self.client.get(url="/a")', "GET /a", {}),
        (
            "i = random.choice(IDS)\nself.client.get(f'/a/{i}/b/{i}')",
            "GET /a/{i}/b/{i}",
            {"i": {"values": [3, 5, 9]}},
        ),
    ],
)
def test_a_request_is_translated(body, request_, fields):
    draft = only(body)
    assert (draft.request, draft.fields) == (request_, fields)


def test_bodies_headers_and_names_are_translated():
    draft = only(
        'self.client.put("/a", json={"n": random.randint(1, 2), "t": [1.5]}, headers={"X": "y"}, name="it")'
    )
    assert (draft.name, draft.body, draft.headers) == ("put-it", {"n": "{n}", "t": [1.5]}, {"X": "y"})
    assert only('self.client.post("/a", {"b": 1})').form == {"b": 1}
    assert only('self.client.post("/a", data="x")').text == "x"
    assert only('self.client.post("/a", data=json.dumps({"b": 1}))').body == {"b": 1}


def test_weights_are_those_of_users_and_tasks():
    text = """
from locust import HttpUser, task
class A(HttpUser):
    weight = 3
    @task(4)
    def one(self):
        self.client.get("/a")
    @task
    def two(self):
        self.client.get("/b")
class B(HttpUser):
    def c(self):
        self.client.get("/c")
    def d(l):
        l.client.get("/d")
    tasks = {c: 1}
class Base(HttpUser):
    abstract = True
    @task
    def never(self):
        self.client.get("/never")
def c(l):
    l.client.get("/c")
"""
    found = locust_users.proposal(text, "locustfile.py")
    assert {one.name: one.requests for one in found.drafts} == pytest.approx({"a": 600, "b": 150, "c": 250})


def test_a_loop_with_a_known_count_is_so_many_requests():
    drafts = proposal('for n in range(4):\n    self.client.get(f"/a/{n}")\nself.client.get("/b")').drafts
    assert {one.request: one.requests for one in drafts} == {"GET /a/{n}": 4000, "GET /b": 1000}
    assert drafts[0].fields == {"n": {"integer": [0, 3]}}


def test_a_value_of_an_answer_is_saved_and_a_deletion_uses_it_up():
    made, read, gone = proposal(
        'answer = self.client.post("/a")\n'
        'made = answer.json()["data"]["id"]\n'
        'self.client.get(f"/a/{made}", headers={"If-None-Match": answer.headers["ETag"]})\n'
        'self.client.delete(f"/a/{made}")'
    ).drafts
    assert made.save == {"made": "data.id", "ETag": "header:ETag"}
    assert (read.request, read.headers, read.consumes) == ("GET /a/{made}", {"If-None-Match": "{ETag}"}, None)
    assert (gone.request, gone.consumes) == ("DELETE /a/{made}", "made")


@pytest.mark.parametrize(
    ("check", "status"),
    [
        ("if r.status_code != 201:\n    r.failure('x')", 201),
        ("if r.status_code == 202:\n    r.success()\nelse:\n    r.failure('x')", 202),
        ("assert r.status_code == 204", 204),
        ("if r.status_code == 404:\n    r.success()", 200),
        ("if r.elapsed > 3:\n    r.failure('slow')", 200),
    ],
)
def test_a_check_of_the_status_is_taken_over(check, status):
    inner = check.replace("\n", "\n    ")
    assert only(f'with self.client.post("/a", catch_response=True) as r:\n    {inner}').status == status


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (
            'if random.random() < 0.5:\n    self.client.get("/b")',
            "line 11: .* is left out: `if",
        ),
        (
            'while True:\n    self.client.get("/b")',
            "line 11: .* is left out: `while True`",
        ),
        ('for n in self.ids:\n    self.client.get("/b")', "line 11: .* a loop over self.ids decides"),
        ("self.client.get(self.path)", "line 10: .*: `self.path` cannot be translated"),
        ('self.client.get("http://other/")', "line 10: .* a URL that is no path of the server"),
        ("time.sleep(3)", "line 10: it sleeps: bench sends the next request at once"),
        ('requests.get("http://other/")', "line 10: .* requests.get is another client"),
        ('[self.client.get("/b") for n in IDS]', "line 10: .* a function within decides"),
        (
            'path = "/b"\nif x:\n    path = "/c"\nself.client.get(path)',
            "line 13: .* `path` cannot",
        ),
        ('r = self.client.get("/b")\nassert r.text', "line 11: .* write it as `expect`"),
    ],
)
def test_what_cannot_be_translated_is_named_by_its_line(body, note):
    found = proposal(f'self.client.get("/first")\n{body}')
    assert [one for one in found.notes if re.match(note, one)], found.notes


def test_what_is_left_out_has_its_share():
    found = proposal('self.client.get("/a")\nif x:\n    self.client.get("/b")')
    assert found.left_out == {"line 11": 1000}


def test_what_is_not_translated_runs_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole, part = proposal('self.client.get("/a")'), proposal('self.client.get("/a")\nself.client.get(x)')
    assert "locustfile =" not in written(whole)
    assert written(part).endswith('[scenarios.locustfile]\nlocustfile = "locustfile.py"\n')
    assert "scenario locustfile: its own users send all of it, by Locust's client" in table(part)
    nothing = readable(proposal("self.client.get(x)"))
    (tmp_path / "scenarios.toml").write_text(written(nothing))
    (tmp_path / "locustfile.py").write_text("import locust\n")
    assert list(scenarios.read(tmp_path, tmp_path / "scenarios.toml")) == ["locustfile"]
    elsewhere = locust_users.proposal(USER.format('        self.client.get("/a")'), "../locustfile.py")
    assert elsewhere.locustfile == ""


def test_a_method_that_a_task_calls_is_followed():
    text = USER + "    def helper(self, n):\n        self.client.get(f'/h/{{n}}')\n"
    found = proposal("self.helper(7)\nself.helper(n=8)", text)
    assert [one.request for one in found.drafts] == ["GET /h/7", "GET /h/8"]


def test_nothing_is_executed(tmp_path):
    trace = tmp_path / "trace"
    text = f"open({str(trace)!r}, 'w')\n" + USER.format("        self.client.get('/a')")
    locust_users.proposal(text, "locustfile.py")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:", "locustfile.py, line 1: it is no Python: invalid syntax: mend it"),
        ("x = 1", "it has no class of HttpUser or FastHttpUser: give the file"),
        (USER.format("        pass"), "none of its tasks has a request that can be translated"),
        (
            USER.format("        self.client.get('/' + " + "'a' + " * 3000 + "'b')"),
            "recursion depth|nested too deeply",
        ),
    ],
)
def test_a_file_without_a_request_is_refused_in_one_line(text, words):
    with pytest.raises(UsageError, match=words) as refused:
        locust_users.proposal(text, "locustfile.py")
    assert "\n" not in str(refused.value)


EXPRESSIONS = st.sampled_from(
    ['"/a"', "x", "IDS[1]", "IDS[7]", 'f"/{IDS}"', 'f"/{random.choice([])}"', '"/%s/%s" % 1',
     '"/{}".format()',
     "None", "b''", "range(10**12)", 'random.randint(9, 1)', '"/{a[0]}".format(a=1)', "self.client.get('/a')",
     "-IDS", "{**x}", "lambda: 1", "'/' + IDS[0]", "...", "self.one()", "open('x').read()", "'/\\ud800'"]
)  # fmt: skip


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4))
def test_any_expressions_become_exchanges_or_notes(expressions):
    calls = [f"self.client.post({one}, json={{'v': {one}}}, headers={{'H': {one}}})" for one in expressions]
    found = readable(proposal("\n".join(['self.client.get("/first")', *calls])))
    assert found.mixed
