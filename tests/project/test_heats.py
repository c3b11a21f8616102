import pytest

from bench.loads import Closed
from bench.model.claim import Claim, ClaimedFigure, ClaimedRatio
from bench.model.plan import Block, Plan
from bench.project import contenders, plans
from bench.project.heats import groups, heats
from tests.support.projects import make_project

LOAD = Closed(connections=8)


def planned(*blocks, reference="a", claims=()):
    return Plan(
        name="tiny",
        blocks=tuple(
            Block(contenders=tuple(names.split()), scenarios=("x",), loads=(LOAD,), reference=own)
            for names, own in blocks
        ),
        reference=reference,
        rounds=4,
        sweeps=3,
        lead_in_s=0.1,
        window_s=0.5,
        warm_up_s=0.3,
        seed=1,
        claims=claims,
    )


def told(*blocks, **more):
    return [" ".join(heat) for heat in heats(planned(*blocks, **more))]


def test_all_that_share_a_reference_are_up_together_even_where_it_is_not_there():
    assert told(("a b", None), ("b c a~aa", None)) == ["a b c a~aa"]
    assert told(("b c", None)) == ["b c"]


def test_contenders_that_are_relative_to_themselves_are_a_heat_for_each_base():
    blocks = [("a b a:pool=off b:pool=off a~aa", None), ("b b:cache=on", None)]
    assert told(*blocks, reference="itself") == ["a a:pool=off a~aa", "b b:pool=off b:cache=on"]


def test_the_steps_of_a_ladder_are_a_heat():
    assert told(("a:x=off b:x=off a b b:y=on", None), reference="previous") == [
        "a:x=off a",
        "b:x=off b b:y=on",
    ]


def test_a_block_with_a_reference_of_its_own_is_a_heat_of_its_own():
    assert told(("a a-fast", "a"), ("b b-fast", "b"), ("a-faster a", None)) == [
        "a a-fast a-faster",
        "b b-fast",
    ]


def test_what_a_claim_compares_is_up_together():
    ratio = ClaimedRatio(contender="b", reference="a", scenario="x", connections=8, at_least=2.0)
    blocks = [("a a:pool=off b b:pool=off c", None)]
    claim = Claim(says="b is faster", source="them", ratio=ratio)
    assert told(*blocks, reference="itself", claims=(claim,)) == ["a a:pool=off b b:pool=off", "c"]


def test_claimed_figures_are_relative_to_the_reference():
    figure = ClaimedFigure(contender="b", scenario="x", connections=8, throughput_rps=10.0)
    claims = (Claim(says="b does ten", source="them", figure=figure),)
    blocks = [("a a-fast", None), ("b b-fast", "b")]
    assert told(*blocks) == ["a a-fast", "b b-fast"]
    assert told(*blocks, claims=claims) == ["a a-fast b b-fast"]


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path)


def test_what_failed_verification_is_left_out_of_groups_and_heats(root):
    chosen = plans.read(root, "tiny")
    served = plans.contenders(chosen, contenders.declared(root))
    assert any("one" in group.contenders for group in groups(chosen, served))
    del served["one"]
    left = groups(chosen, served)
    assert left
    assert all("one" not in (*group.contenders, *group.heat) for group in left)
    assert all({*group.contenders} <= {*group.heat} for group in left)
