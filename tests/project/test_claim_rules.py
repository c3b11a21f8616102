from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.files import read_json, to_json
from bench.model.plan import Plan
from bench.project import plans
from tests.support.projects import PLAN, make_project

PROJECT = Path(__file__).parents[2]
FIGURE = """
[[claim]]
says = "One serves plenty"
source = "a leaflet, page 2"
figure = { contender = "one", scenario = "hello", throughput_rps = 15_000, latency_ms = 2.1 }
"""
RATIO = """
[[claim]]
says = "The faster one is six times as fast"
source = "a leaflet, page 3"
ratio = { contender = "one-fast", reference = "floor", scenario = "hello", about = 6, within = 0.1 }
"""
NEEDS = """
[[claim]]
says = "One is pleasant to use"
source = "a leaflet, page 4"
needs = "people to ask"
"""


def claims_of(tmp_path, text, before=PLAN):
    return plans.read(make_project(tmp_path, plan=before + text), "tiny").claims


def test_a_plan_without_claims_has_none(tmp_path):
    assert claims_of(tmp_path, "") == ()


def test_claims_are_read_in_order_under_the_closed_load_of_the_plan(tmp_path):
    figure, ratio, needs = claims_of(tmp_path, FIGURE + RATIO + NEEDS)
    assert (figure.says, figure.source) == ("One serves plenty", "a leaflet, page 2")
    assert (figure.figure.throughput_rps, figure.figure.latency_ms) == (15_000, 2.1)
    assert (figure.figure.connections, figure.figure.within) == (4, 0.25)
    assert (ratio.ratio.contender, ratio.ratio.reference) == ("one-fast", "floor")
    assert (ratio.ratio.about, ratio.ratio.within, ratio.ratio.metric) == (6, 0.1, "throughput_rps")
    assert (needs.figure, needs.ratio, needs.needs) == (None, None, "people to ask")


def test_where_a_plan_has_several_closed_loads_a_claim_names_its_own(tmp_path):
    two = PLAN.replace("connections = 4 }", 'connections = 4 }, { kind = "closed", connections = 8 }')
    with pytest.raises(UsageError, match=r"claim\.0\.ratio\.connections: one of 4, 8, as in the plan"):
        claims_of(tmp_path / "silent", RATIO, two)
    named = RATIO.replace("about = 6", "connections = 8, about = 6")
    assert claims_of(tmp_path / "named", named, two)[0].ratio.connections == 8


@pytest.mark.parametrize(
    ("claim", "before", "after", "words"),
    [
        (FIGURE, 'says = "One serves plenty"', "", r"claim\.0\.says: Field required"),
        (
            FIGURE,
            "figure =",
            'at = { table = "a", row = "b", column = "c" }\nfigure =',
            r"claim\.0\.at\.column: a figure has columns of its own",
        ),
        (
            RATIO,
            "ratio =",
            'at = { table = "a", row = "b" }\nratio =',
            r"claim\.0\.at\.column: is missing",
        ),
        (
            FIGURE,
            "figure =",
            'at = { table = "a", row = "b", found = "ratio" }\nfigure =',
            r"claim\.0\.at\.found: goes with needs",
        ),
        (
            NEEDS,
            "needs =",
            'at = { table = "a", row = "b", found = "speed" }\nneeds =',
            r"claim\.0\.at\.found: the plan has no evidence speed",
        ),
        (NEEDS, "needs =", 'at = { table = "a" }\nneeds =', r"claim\.0\.at\.row: Field required"),
        (FIGURE, '"One serves plenty"', '" "', r"claim\.0\.says: must not be empty"),
        (FIGURE, '"a leaflet, page 2"', '""', r"claim\.0\.source: must not be empty"),
        (NEEDS, '"people to ask"', '""', r"claim\.0: needs exactly one of .* needs, not empty"),
        (
            NEEDS,
            'needs = "people to ask"',
            "",
            r"claim\.0: needs exactly one of figure, ratio, evidence, needs",
        ),
        (
            FIGURE,
            "figure =",
            'needs = "more"\nfigure =',
            r"claim\.0: needs exactly one of figure, ratio, evidence, needs",
        ),
        (
            FIGURE,
            "figure =",
            'needs = ""\nfigure =',
            r"claim\.0: needs exactly one of figure, ratio, .* not empty",
        ),
        (
            RATIO,
            "ratio =",
            'needs = " "\nratio =',
            r"claim\.0: needs exactly one of figure, ratio, .* not empty",
        ),
        (NEEDS, '"people to ask"', '" "', r"claim\.0: needs exactly one of .* needs, not empty"),
        (FIGURE, "figure", "figur", r"claim\.0\.figur: unknown key"),
        (FIGURE, "says", "sais", r"claim\.0\.(says: Field required|sais: unknown key)"),
        (FIGURE, "latency_ms", "latency", r"claim\.0\.figure\.latency: unknown key"),
        (FIGURE, "15_000", '"15,000"', r"claim\.0\.figure\.throughput_rps: Input should be a valid number"),
        (FIGURE, "15_000", "0", r"claim\.0\.figure\.throughput_rps: must be more than 0"),
        (FIGURE, "2.1", "-2.1", r"claim\.0\.figure\.latency_ms: must be more than 0"),
        (FIGURE, '"one"', '"oen"', r"figure\.contender: the plan has no oen; did you mean one"),
        (FIGURE, '"hello"', '"helo"', r"figure\.scenario: the plan has no helo; did you mean hello"),
        (FIGURE, "2.1", "2.1, connections = 5", r"claim\.0\.figure\.connections: one of 4, as in the plan"),
        (RATIO, '"floor"', '"flor"', r"ratio\.reference: the plan has no flor; did you mean floor"),
        (RATIO, '"floor"', '"one-fast"', r"ratio\.reference: another one than the contender"),
        (
            RATIO,
            "about = 6",
            'metric = "throughput", about = 6',
            r"ratio\.metric: .* did you mean throughput_rps",
        ),
        (RATIO, ", about = 6, within = 0.1", "", r"claim\.0\.ratio: needs about or at_least, and not both"),
        (RATIO, "within = 0.1", "at_least = 2", r"claim\.0\.ratio: needs about or at_least, and not both"),
        (RATIO, "about = 6", "at_least = 6", r"claim\.0\.ratio\.within: goes with about"),
        (
            RATIO,
            "about = 6, within = 0.1",
            "at_least = 6, within = 0.25",
            r"claim\.0\.ratio\.within: goes with about",
        ),
        (RATIO, "about = 6", "about = inf", r"claim\.0\.ratio\.about: "),
        (RATIO, "about = 6", "about = nan", r"claim\.0\.ratio\.about: "),
        (RATIO, "within = 0.1", "within = 10", r"ratio\.within: must be less than 1; 0\.05 is 5 %"),
        (RATIO, "within = 0.1", "within = 0", r"ratio\.within: must be more than 0"),
    ],
)
def test_a_mistake_in_a_claim_is_told_by_file_and_key(tmp_path, claim, before, after, words):
    assert before in claim
    with pytest.raises(UsageError, match=rf"tiny\.toml: .*{words}"):
        claims_of(tmp_path, claim.replace(before, after, 1))


def test_contenders_that_no_block_measures_side_by_side_cannot_be_claimed_about(tmp_path):
    apart = PLAN.replace('"one", "one-fast"', '"one"') + PLAN[PLAN.index("[[block]]") :].replace(
        '"floor", ', ""
    ).replace("connections = 4", "connections = 8")
    with pytest.raises(UsageError, match="no block measures one-fast and floor in hello under a closed load"):
        claims_of(tmp_path, RATIO, apart)


def test_a_target_in_place_of_the_contenders_leaves_nothing_claimed(tmp_path):
    root = make_project(tmp_path, plan=PLAN + FIGURE)
    assert plans.aimed(plans.read(root, "tiny"), "target").claims == ()
    assert plans.narrowed(plans.read(root, "tiny"), contenders=["floor"]).claims != ()


def test_claims_survive_being_written_and_read_again(tmp_path):
    root = make_project(tmp_path, plan=PLAN + FIGURE + RATIO + NEEDS)
    chosen = plans.read(root, "tiny")
    (tmp_path / "plan.json").write_bytes(to_json(chosen))
    assert read_json(tmp_path / "plan.json", Plan) == chosen


def test_the_article_is_kept_as_claims_of_every_kind():
    claims = plans.read(PROJECT, "article").claims
    figures = {claim.figure.contender: claim.figure for claim in claims if claim.figure}
    assert {name: (one.throughput_rps, one.latency_ms) for name, one in figures.items()} == {
        "fastapi": (15_000, 2.1),
        "flask": (2_500, 12.3),
        "django": (1_800, 18.7),
    }
    assert all(claim.source.startswith("the source article, ") for claim in claims)
    assert [claim for claim in claims if claim.ratio]
    assert [claim for claim in claims if claim.needs]
