"""What `bench diff` compares of two revisions, told before anything is measured."""

import pytest

from bench.diffing import Wanted, asked, planned, served
from bench.errors import UsageError
from bench.sides import laid_out
from tests.projects import CONTENDERS, PLAN
from tests.repositories import commit, make_repository

TWO = CONTENDERS.replace("[one", "[two").replace('"one"', '"two"').replace("[floor]", "[cellar]")
CI = PLAN.replace('["hello", "churn"]', '["hello"]').replace('"floor", ', "")


@pytest.fixture
def root(tmp_path):
    root = make_repository(tmp_path / "project")
    (root / "apps" / "two_app").mkdir()
    (root / "apps" / "two_app" / "contenders.toml").write_text(TWO)
    (root / "plans" / "ci.toml").write_text(CI.replace('"one-fast"', '"one-fast", "two"'))
    commit(root, "two apps")
    return root


def change(root, app="one_app"):
    (root / "apps" / app / "app.py").write_text("slow = True\n")


def plan_of(root, base="main", head=None, **wanted):
    with laid_out(root, base, head) as sides:
        made, notes = planned(sides, Wanted(**wanted))
        return made, notes, served(sides, made), asked(sides, made)


def names(made):
    return [block.contenders for block in made.blocks]


def test_contenders_of_a_changed_app_are_compared_with_themselves(root):
    change(root)
    made, notes, contenders, scenarios = plan_of(root)
    base = made.baseline
    assert names(made) == [
        (f"one@{base}", "one@worktree"),
        (f"one-fast@{base}", "one-fast@worktree"),
        (f"one@{base}", f"one@{base}~aa"),
    ]
    assert [block.scenarios for block in made.blocks] == [("hello",)] * 3
    assert (made.rounds, made.budget_s, made.reference) == (9, 600.0, f"one@{base}")
    assert notes == ()
    assert [scenario.name for scenario in scenarios] == ["hello"]
    assert made.reference_of("one-fast@worktree") == f"one-fast@{base}"
    folders = {one.name: one.root.rpartition("/")[2] for one in contenders}
    assert folders == {
        f"one@{base}": "base",
        "one@worktree": "head",
        f"one-fast@{base}": "base",
        "one-fast@worktree": "head",
        f"one@{base}~aa": "again",
    }


def test_nothing_is_compared_where_no_app_changed(root):
    (root / "README.md").write_text("other words\n")
    (root / "bench").mkdir()
    (root / "bench" / "other.py").write_text("")
    assert plan_of(root)[0].blocks == ()
    made, _, _, _ = plan_of(root, unchanged=True)
    assert len(made.blocks) == 4


def test_what_is_asked_for_by_name_is_compared_changed_or_not(root):
    made, _, contenders, _ = plan_of(root, contenders=("two:workers=4",), scenarios=("hello",))
    assert names(made)[0] == (f"two:workers=4@{made.baseline}", "two:workers=4@worktree")
    assert {one.workers for one in contenders} == {4}


def test_every_contender_may_be_its_own_twin(root):
    change(root)
    made, _, _, _ = plan_of(root, twins="all")
    assert [name for name in (block.contenders[1] for block in made.blocks) if name.endswith("~aa")] == [
        f"one@{made.baseline}~aa",
        f"one-fast@{made.baseline}~aa",
    ]


def test_a_changed_schema_concerns_every_contender(root):
    (root / "apps" / "schema.sql").write_text("CREATE TABLE things ();\n")
    made, notes, _, _ = plan_of(root)
    assert len(made.blocks) == 4
    assert "schema, seed or Dockerfile differs: every contender is compared" in notes


def test_two_commits_are_compared_as_they_were(root):
    change(root)
    first = commit(root)
    change(root, "two_app")
    second = commit(root)
    change(root)
    made, _, _, _ = plan_of(root, first, second)
    assert names(made)[0] == (f"two@{first[:8]}", f"two@{second[:8]}")
    assert len(made.blocks) == 2


def test_a_commit_may_be_compared_with_itself(root):
    made, _, contenders, _ = plan_of(root, "main", "main", contenders=("one",))
    base = made.baseline
    assert names(made)[0] == (f"one@{base}", f"one@{base}-head")
    assert made.reference_of(f"one@{base}-head") == f"one@{base}"
    assert len({one.root for one in contenders}) == 3


def test_contenders_that_only_one_side_has_are_named(root):
    table = (root / "apps" / "two_app" / "contenders.toml").read_text()
    (root / "apps" / "two_app" / "contenders.toml").write_text(table.replace("[cellar]", "[vault]"))
    _, notes, _, _ = plan_of(root)
    assert "not there any more: cellar" in notes
    _, notes, _, _ = plan_of(root, contenders=("one", "vault", "cellar"))
    assert "only in the base, compared with nothing: cellar" in notes
    assert "only in the head, compared with nothing: vault" in notes


def test_a_new_switch_and_a_new_scenario_are_compared_with_nothing(root):
    table = root / "apps" / "one_app" / "contenders.toml"
    table.write_text(
        table.read_text().replace("[one.switch.pool]", "[one.switch.size]\nbig = {}\n[one.switch.pool]")
    )
    asked_for = root / "apps" / "scenarios.toml"
    asked_for.write_text(asked_for.read_text() + "\n[scenarios.new]\nmix = { hello = 1 }\n")
    (root / "plans" / "ci.toml").write_text(
        CI.replace('"one-fast"]', '"one-fast", "one:size=big"]').replace('["hello"]', '["hello", "new"]')
    )
    made, notes, _, _ = plan_of(root)
    assert not any("size" in name for block in made.blocks for name in block.contenders)
    assert {block.scenarios for block in made.blocks} == {("hello",)}
    assert "only in the head, compared with nothing: one:size=big" in notes
    assert "scenarios that the base does not have, asked of nobody: new" in notes


def test_a_contender_whose_app_is_another_folder_by_now_is_compared(root):
    (root / "apps" / "two_app").rename(root / "apps" / "second_app")
    (root / "apps" / "second_app" / "app.py").write_text("slow = True\n")
    made, _, _, _ = plan_of(root)
    assert names(made)[0] == (f"two@{made.baseline}", "two@worktree")


def test_without_a_plan_ci_everything_is_compared(root):
    (root / "plans" / "ci.toml").unlink()
    change(root)
    made, _, _, _ = plan_of(root)
    assert names(made)[0] == (f"one@{made.baseline}", "one@worktree")
    assert not any("one-fast" in name for block in made.blocks for name in block.contenders)
    assert made.blocks[0].scenarios == ("hello", "churn")
    assert made.blocks[-1].contenders[1].endswith("~aa")
    assert made.blocks[-1].scenarios == ("hello",)


def test_scenarios_that_differ_are_those_of_the_head_and_that_is_said(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    file.write_text(file.read_text().replace('message = "Hello"', 'message = "Good day"'))
    _, notes, _, scenarios = plan_of(root)
    assert "scenarios.toml differs: both sides are asked for what the head's asks for" in notes
    assert scenarios[0].exchanges[0].expect.json == {"message": "Good day"}


def test_an_exchange_that_is_new_in_an_old_scenario_is_requested_of_nobody_and_named(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    new = '[exchanges.stock]\nrequest = "GET /stock"\n\n[scenarios.hello]'
    text = file.read_text().replace("[scenarios.hello]", new)
    file.write_text(text.replace("mix = { hello = 1 }", "mix = { hello = 3, stock = 1 }"))
    made, notes, _, (hello,) = plan_of(root)
    assert [one.name for one in hello.exchanges] == ["hello"]
    assert "scenario hello: stock is new: requested of nobody" in notes
    assert made.changed == ()


def test_an_exchange_that_changed_is_known_to_the_plan(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    file.write_text(file.read_text().replace('message = "Hello"', 'message = "Good day"'))
    assert plan_of(root)[0].changed == ("hello",)


def test_where_every_exchange_is_new_there_is_nothing_to_compare(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    text = file.read_text().replace("[exchanges.hello]", "[exchanges.bye]").replace("GET /", "GET /bye")
    file.write_text(text.replace("mix = { hello = 1 }", "mix = { bye = 1 }"))
    made, notes, _, _ = plan_of(root)
    assert made.blocks == ()
    assert "scenario hello: nothing of it is left to compare" in notes


def test_trees_are_gone_afterwards_also_those_of_one_that_was_killed(root):
    left = root / ".bench" / "trees" / "base" / "apps"
    left.mkdir(parents=True)
    change(root)
    plan_of(root)
    assert not (root / ".bench" / "trees").exists()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"contenders": ("oen",)}, "unknown contender oen; did you mean one"),
        ({"scenarios": ("helo",)}, "plan ci has no scenario helo; did you mean hello"),
    ],
)
def test_what_is_not_there_is_told(root, wanted, words):
    with pytest.raises(UsageError, match=words):
        plan_of(root, **wanted)


def test_a_side_whose_contenders_cannot_be_read_is_named(root):
    (root / "apps" / "two_app" / "contenders.toml").write_text("[two")
    commit(root)
    with pytest.raises(UsageError, match=r"^@worktree: .*two_app/contenders\.toml"):
        plan_of(root, "HEAD~1")
