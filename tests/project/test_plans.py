import pytest

from bench.errors import UsageError
from bench.project import contenders, heats, plans, scenarios
from tests.support.projects import PLAN, make_project


@pytest.fixture
def root(tmp_path):
    return make_project(tmp_path)


def groups_of(root, chosen):
    return heats.groups(chosen, plans.contenders(chosen, contenders.declared(root)))


def test_a_plan_is_read_with_its_defaults(root):
    chosen = plans.read(root, "tiny")
    assert (chosen.rounds, chosen.sweeps, chosen.lead_in_s, chosen.seed) == (2, 2, 0.1, 1)
    assert chosen.blocks[0].loads[0].connections == 4


def test_a_margin_that_a_plan_names_replaces_that_one_alone(tmp_path):
    root = make_project(tmp_path, plan="margins = { throughput_rps = 0.1 }\n" + PLAN)
    kept = {"service_demand_us": 0.03, "instructions": 0.005}
    assert plans.read(root, "tiny").margins == {"throughput_rps": 0.1} | kept


def test_rounds_that_are_to_be_settled_begin_with_a_pilot_and_have_a_budget(tmp_path):
    root = make_project(tmp_path, plan=PLAN.replace("rounds = 2", 'rounds = "auto"'))
    chosen = plans.read(root, "tiny")
    assert (chosen.rounds, chosen.budget_s) == (9, 600.0)
    fixed = plans.narrowed(chosen, rounds=4)
    assert (fixed.rounds, fixed.budget_s) == (4, None)


def test_contenders_are_swept_over_together_where_they_serve_the_scenario(root):
    hello, churn = groups_of(root, plans.read(root, "tiny"))
    assert (hello.scenario, hello.contenders) == ("hello", ("floor", "one", "one-fast", "one~aa"))
    assert (churn.scenario, churn.contenders) == ("churn", ("one", "one-fast", "one~aa"))


def test_a_block_may_have_a_reference_of_its_own(tmp_path):
    root = make_project(tmp_path, plan=f'{PLAN}reference = "one-fast"')
    chosen = plans.read(root, "tiny")
    assert chosen.reference == "one"
    assert {name: chosen.reference_of(name) for name in ("floor", "one", "one~aa")} == dict.fromkeys(
        ("floor", "one", "one~aa"), "one-fast"
    )
    assert chosen.reference_of("of-no-block") == "one"
    assert plans.aimed(chosen, "target").reference_of("target") == "target"


def test_a_contender_has_one_reference(tmp_path):
    block = PLAN[PLAN.index("[[block]]") :]
    text = f'{PLAN}reference = "one-fast"\n{block}reference = "floor"'
    with pytest.raises(UsageError, match=r"block\.1\.reference: floor is relative to one-fast already"):
        plans.read(make_project(tmp_path, plan=text), "tiny")


def test_a_cell_that_two_blocks_ask_for_is_measured_once(tmp_path):
    block = PLAN[PLAN.index("[[block]]") :]
    root = make_project(tmp_path, plan=PLAN + block)
    assert groups_of(root, plans.read(root, "tiny")) == groups_of(
        make_project(tmp_path / "once"), plans.read(tmp_path / "once", "tiny")
    )


def test_narrowing_by_a_base_takes_every_name_of_it(root):
    chosen = plans.narrowed(plans.read(root, "tiny"), contenders=["one"], scenarios=["churn"], rounds=7)
    (churn,) = groups_of(root, chosen)
    assert (churn.scenario, churn.contenders, chosen.rounds) == ("churn", ("one", "one~aa"), 7)


def test_unknown_names_are_told_with_what_is_near(root):
    chosen = plans.read(root, "tiny")
    with pytest.raises(UsageError, match="unknown plan tny; did you mean tiny"):
        plans.read(root, "tny")
    with pytest.raises(UsageError, match="plan tiny has no contender flor; did you mean floor"):
        plans.narrowed(chosen, contenders=["flor"])
    with pytest.raises(UsageError, match="plan tiny has no scenario helo; did you mean hello"):
        plans.narrowed(chosen, scenarios=["helo"])
    with pytest.raises(UsageError, match="plan tiny: unknown scenario churn; there is hello"):
        plans.scenarios(chosen, {"hello": scenarios.declared(root)["hello"]})


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("rounds = 2", "round = 2", "tiny.toml: round: unknown key; did you mean rounds"),
        ("rounds = 2", 'rounds = "2"', 'tiny.toml: rounds: must be a number above 0, or "auto"'),
        ("rounds = 2", "rounds = 0", "tiny.toml: rounds: must be a number above 0"),
        ("warm_up_s = 0.1", "warm_up_s = -1", "tiny.toml: warm_up_s: at least 0"),
        ("connections = 4", "connections = 0", "block.0.loads.0.connections: at least 1"),
        ('"closed"', '"opened"', "block.0.loads.0.kind: 'opened' is unknown; did you mean open"),
        ('["hello", "churn"]', "[]", "block.0.scenarios: at least one"),
        (
            "sweeps = 2",
            "sweeps = 2\nmargins = { throughput_rps = 5 }",
            "margins.throughput_rps: must be less than 1; 0.05 is 5 %",
        ),
        ("sweeps = 2", "sweeps = 2\nmargins = { latency = 0.1 }", "margins.latency: unknown key"),
        ("sweeps = 2", "sweeps = 2\nslo_ms = 0", "tiny.toml: slo_ms: must be more than 0"),
        ("sweeps = 2", "sweeps = 2\nload_workers = 0", "tiny.toml: load_workers: must be more than 0"),
        (
            'controls = ["one"]',
            'controls = ["two"]',
            "block.0.controls: two is none of the block's contenders",
        ),
        (
            'controls = ["one"]',
            'reference = "two"',
            "block.0.reference: two is none of the block's contenders",
        ),
        ("sweeps = 2", "sweeps = 2\nspare_sweeps = -1", "tiny.toml: spare_sweeps: at least 0"),
        ("sweeps = 2", "sweeps = 2\nbudget_s = 60", 'tiny.toml: budget_s: goes with rounds = "auto"'),
        ("rounds = 2", 'rounds = "auto"\nbudget_s = 0', "tiny.toml: budget_s: must be more than 0"),
        ("sweeps = 2", "sweeps = 2\nfoo = 1", "tiny.toml: foo: unknown key"),
    ],
)
def test_a_mistake_is_told_by_file_and_key(tmp_path, before, after, words):
    assert before in PLAN
    root = make_project(tmp_path, plan=PLAN.replace(before, after, 1))
    with pytest.raises(UsageError, match=words):
        plans.read(root, "tiny")


def test_windows_may_be_left_to_the_probe(tmp_path):
    auto = PLAN.replace("window_s = 0.2", 'window_s = "auto"')
    made = plans.read(make_project(tmp_path / "auto", plan=auto), "tiny")
    assert (made.window_s, made.lead_in_s, made.longest_window_s) == (0.12, 0.03, 30.0)
    grown = PLAN.replace("window_s = 0.2", "window_s = 0.2\nlongest_window_s = 8")
    made = plans.read(make_project(tmp_path / "grown", plan=grown), "tiny")
    assert (made.window_s, made.lead_in_s, made.longest_window_s) == (0.2, 0.1, 8)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('window_s = "long"', 'window_s: must be a number above 0, or "auto"'),
        ("window_s = 0.2\nlongest_window_s = 0.1", "longest_window_s: must not be less than window_s, 0.2"),
    ],
)
def test_windows_that_make_no_sense_are_refused(tmp_path, line, words):
    root = make_project(tmp_path / "project", plan=PLAN.replace("window_s = 0.2", line))
    with pytest.raises(UsageError, match=words):
        plans.read(root, "tiny")
