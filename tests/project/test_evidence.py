import pytest

from bench.errors import UsageError
from bench.files import read_json, to_json, write_atomically
from bench.model.claim import Choice, Ground, Inquiry
from bench.model.plan import Plan
from bench.project import contenders, heats, plans
from tests.support.projects import PLAN, make_project

EVIDENCE = """
[[claim]]
says = "One cannot wait"
source = "a leaflet"
evidence = { topic = "async", contender = "one-fast", outcome = "no" }

[[evidence]]
topic = "async"
asks = "Does it wait well?"
contenders = ["one-fast", "one:pool=off"]

[[choice]]
choose = "One"
when = "waiting"
because = [{ topic = "async", contender = "one-fast", outcome = "yes" }]
claims = ["One cannot wait"]
"""


def read(tmp_path, text=EVIDENCE):
    return plans.read(make_project(tmp_path, plan=PLAN + text), "tiny")


def test_a_plan_without_evidence_asks_for_none(tmp_path):
    read_one = read(tmp_path, "")
    assert (read_one.inquiries, read_one.choices) == ((), ())


def test_evidence_claims_and_choices_are_read(tmp_path):
    found = read(tmp_path)
    (inquiry,) = found.inquiries
    assert inquiry == Inquiry(
        topic="async", asks="Does it wait well?", contenders=("one-fast", "one:pool=off")
    )
    assert found.claims[0].evidence == Ground(topic="async", contender="one-fast", outcome="no")
    assert found.choices == (
        Choice(
            choose="One",
            when="waiting",
            because=(Ground(topic="async", contender="one-fast", outcome="yes"),),
            claims=("One cannot wait",),
        ),
    )


def test_a_contender_that_is_only_looked_at_belongs_to_the_run_but_is_not_timed(tmp_path):
    found = read(tmp_path)
    served = plans.contenders(found, contenders.declared(tmp_path))
    assert [*served] == ["floor", "one", "one-fast", "one~aa", "one:pool=off"]
    assert all("one:pool=off" not in group.contenders for group in heats.groups(found, served))


def test_a_plan_that_is_narrowed_to_contenders_looks_for_no_evidence(tmp_path):
    found = read(tmp_path)
    assert plans.narrowed(found, ["one"]).inquiries == ()
    assert plans.narrowed(found, rounds=1).inquiries == found.inquiries
    aimed = plans.aimed(found, "elsewhere")
    assert (aimed.inquiries, aimed.choices, aimed.claims) == ((), (), ())


def test_what_is_asked_survives_the_way_through_a_file(tmp_path):
    found = read(tmp_path)
    write_atomically(tmp_path / "plan.json", to_json(found))
    assert read_json(tmp_path / "plan.json", Plan) == found


FLAWS = {
    "a claim of another topic": (
        '{ topic = "async", contender = "one-fast", outcome = "no" }',
        '{ topic = "asink", contender = "one-fast", outcome = "no" }',
        r"claim\.0\.evidence\.topic: the plan has no evidence asink; did you mean async",
    ),
    "a claim of one who is not asked": (
        'contender = "one-fast", outcome = "no"',
        'contender = "one-fats", outcome = "no"',
        r"claim\.0\.evidence\.contender: evidence async does not cover one-fats; did you mean one-fast",
    ),
    "another outcome": ('outcome = "no"', 'outcome = "never"', r"claim\.0\.evidence\.outcome"),
    "nobody to ask": ('["one-fast", "one:pool=off"]', "[]", r"evidence\.0\.contenders: at least one"),
    "nothing asked": ('asks = "Does it wait well?"\n', "", r"evidence\.0\.asks"),
    "a choice of another claim": (
        'claims = ["One cannot wait"]',
        'claims = ["One can wait"]',
        r"choice\.0\.claims: the plan does not claim 'One can wait'; did you mean One cannot wait",
    ),
    "a choice without a ground": (
        EVIDENCE[EVIDENCE.index("because") :],
        "",
        r"choice\.0: needs because or claims",
    ),
    "a topic twice": (
        "[[choice]]",
        '[[evidence]]\ntopic = "async"\nasks = "Again?"\ncontenders = ["one"]\n\n[[choice]]',
        r"evidence\.1\.topic: async is listed twice",
    ),
}


@pytest.mark.parametrize(("before", "after", "words"), FLAWS.values(), ids=FLAWS)
def test_what_cannot_be_asked_is_named(tmp_path, before, after, words):
    assert before in EVIDENCE
    with pytest.raises(UsageError, match=words):
        read(tmp_path, EVIDENCE.replace(before, after, 1))


def test_an_unknown_contender_is_named_before_anything_starts(tmp_path):
    found = read(tmp_path, EVIDENCE.replace('"one:pool=off"', '"two"'))
    with pytest.raises(UsageError, match="unknown contender two"):
        plans.contenders(found, contenders.declared(tmp_path))
