"""What a base and a head can both be requested."""

from dataclasses import replace

from bench.loads import Closed
from bench.model.plan import Block
from bench.model.scenario import Exchange, Expect, Scenario
from bench.run.shared_scenarios import common, narrowed, without
from tests.support.synthetic import synthetic_run


def exchange(name, path=None, **more):
    return Exchange(name=name, method="GET", path=path or f"/{name}", **more)


def scenario(*exchanges, name="front"):
    return Scenario(name=name, exchanges=exchanges, weights=tuple(range(1, len(exchanges) + 1)))


def shared(base, head):
    return common({base.name: base}, {head.name: head})


FRONT, STOCK = exchange("front"), exchange("stock")


def test_an_exchange_that_the_base_does_not_have_is_left_out_and_named():
    told = shared(scenario(FRONT), scenario(STOCK, FRONT))
    assert told.scenarios == {"front": replace(scenario(FRONT), weights=(2,))}
    assert told.notes == ("scenario front: stock is new: not measured",)


def test_what_needs_a_value_of_what_is_new_is_left_out_with_it():
    login = exchange("login", save={"token": "token"})
    me = exchange("me", headers={"Authorization": "{token}"})
    told = shared(scenario(FRONT, exchange("me")), scenario(FRONT, me, login))
    assert [one.name for one in told.scenarios["front"].exchanges] == ["front"]
    assert "scenario front: me is in need of what is new: not measured" in told.notes


def test_where_all_is_new_nothing_is_left():
    told = shared(scenario(FRONT), scenario(STOCK))
    assert told.scenarios == {}
    assert told.notes[-1] == "scenario front: nothing of it is left to compare"


def test_an_exchange_under_another_name_is_the_same():
    told = shared(scenario(FRONT), scenario(replace(FRONT, name="home")))
    assert [one.name for one in told.scenarios["front"].exchanges] == ["home"]
    assert told.notes == ("scenario front: front is not in the head's any more: not measured",)


def test_an_exchange_of_another_scenario_of_the_base_is_not_new():
    base = {"front": scenario(FRONT), "stock": scenario(STOCK, name="stock")}
    told = common(base, {**base, "front": scenario(FRONT, STOCK)})
    assert len(told.scenarios["front"].exchanges) == 2
    assert told.notes == ()


def test_exchanges_that_changed_are_known_and_stay():
    told = shared(scenario(FRONT, STOCK), scenario(FRONT, replace(STOCK, expect=Expect(status=204))))
    assert told.changed == ("stock",)
    assert len(told.scenarios["front"].exchanges) == 2


def test_without_leaves_weights_with_their_exchanges():
    assert without(scenario(FRONT, STOCK, exchange("rest")), {"stock"}).weights == (1, 3)


def test_a_plan_is_narrowed_by_what_is_empty_and_by_contender():
    plan = synthetic_run({"a@1": 1.0, "b@1": 1.0}).plan
    load = (Closed(connections=1),)
    blocks = [
        Block(contenders=(f"{name}@1", f"{name}@2"), scenarios=("front", "gone"), loads=load) for name in "ab"
    ]
    scenarios = [scenario(FRONT), scenario(name="gone")]
    left = narrowed(replace(plan, blocks=tuple(blocks)), scenarios, {"b": {"front"}})
    assert [(block.contenders, block.scenarios) for block in left.blocks] == [(("a@1", "a@2"), ("front",))]
