"""What `bench diff` compares of two revisions, told before anything is measured."""

import re
import shutil

import pytest

from bench.compare.diff import Selection, left_out, planned, requested_scenarios, served, why_nothing
from bench.compare.sides import laid_out
from bench.errors import CannotMeasure, UsageError
from tests.project.test_layout import change_core, with_submodule
from tests.support.projects import CONTENDERS, PLAN
from tests.support.repositories import commit, git, make_repository

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
        made, notes = planned(sides, Selection(**wanted))
        return made, notes, served(sides, made), requested_scenarios(sides, made)


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
    assert notes == ("untracked, in the head alone: apps/one_app/app.py",)
    assert [scenario.name for scenario in scenarios] == ["hello"]
    assert made.reference_of("one-fast@worktree") == f"one-fast@{base}"
    folders = {one.name: one.root.rpartition("/")[2] for one in contenders}
    assert folders == {
        f"one@{base}": "base",
        "one@worktree": "head",
        f"one-fast@{base}": "base",
        "one-fast@worktree": "head",
        f"one@{base}~aa": "twin",
    }


def test_nothing_is_compared_where_no_app_changed(root):
    (root / "README.md").write_text("other words\n")
    (root / "docs").mkdir()
    (root / "docs" / "other.md").write_text("")
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
    assert "shared files differ, so every contender is compared: apps/schema.sql" in notes


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
    assert "scenarios that the base does not have, not measured: new" in notes


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
    assert made.fewer_connections == 10


def test_connections_that_plan_ci_names_are_not_lowered(root):
    change(root)
    made, _, _, _ = plan_of(root)
    assert made.fewer_connections is None


def test_scenarios_that_differ_are_those_of_the_head_and_that_is_said(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    file.write_text(file.read_text().replace('message = "Hello"', 'message = "Good day"'))
    _, notes, _, scenarios = plan_of(root)
    assert "scenarios.toml differs: both sides are measured with the head's" in notes
    assert scenarios[0].exchanges[0].expect.json == {"message": "Good day"}


def test_an_exchange_that_is_new_in_an_old_scenario_is_requested_of_nobody_and_named(root):
    change(root)
    file = root / "apps" / "scenarios.toml"
    new = '[exchanges.stock]\nrequest = "GET /stock"\n\n[scenarios.hello]'
    text = file.read_text().replace("[scenarios.hello]", new)
    file.write_text(text.replace("mix = { hello = 1 }", "mix = { hello = 3, stock = 1 }"))
    made, notes, _, (hello,) = plan_of(root)
    assert [one.name for one in hello.exchanges] == ["hello"]
    assert "scenario hello: stock is new: not measured" in notes
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


BLOCKS = """
[[block]]
contenders = ["two"]
scenarios = ["churn"]
loads = [{ kind = "open", rate = 100 }, { kind = "closed", connections = 8 }]
"""


def test_blocks_of_plan_ci_keep_their_contenders_scenarios_and_loads(root):
    (root / "plans" / "ci.toml").write_text(CI + BLOCKS)
    commit(root)
    for app in ("one_app", "two_app"):
        change(root, app)
    made, _, _, _ = plan_of(root)
    base = made.baseline
    kept = [(block.contenders, block.scenarios, [load.kind for load in block.loads]) for block in made.blocks]
    assert kept == [
        ((f"one@{base}", "one@worktree"), ("hello",), ["closed"]),
        ((f"one-fast@{base}", "one-fast@worktree"), ("hello",), ["closed"]),
        ((f"two@{base}", "two@worktree"), ("churn",), ["open", "closed"]),
        ((f"one@{base}", f"one@{base}~aa"), ("hello",), ["closed"]),
    ]
    assert [load.connections for load in made.blocks[2].loads] == [256, 8]


def test_a_variant_is_measured_where_its_base_is_and_a_contender_of_no_block_everywhere(root):
    (root / "plans" / "ci.toml").write_text(CI + BLOCKS)
    made, _, _, _ = plan_of(root, contenders=("two:workers=4",))
    assert [block.scenarios for block in made.blocks] == [("churn",), ("churn",)]
    made, _, _, _ = plan_of(root, contenders=("cellar",), scenarios=("hello",))
    assert [block.scenarios for block in made.blocks] == [("hello",), ("hello",)]


def test_twins_of_all_are_in_every_block_and_a_single_one_under_a_closed_load(root):
    (root / "plans" / "ci.toml").write_text(CI + BLOCKS)
    made, _, _, _ = plan_of(root, contenders=("two",), twins="all")
    assert made.blocks[1].contenders[1].endswith("~aa")
    assert made.blocks[1].loads == made.blocks[0].loads
    made, _, _, _ = plan_of(root, contenders=("two",))
    assert [load.kind for load in made.blocks[1].loads] == ["closed"]


def test_a_contender_and_a_scenario_that_no_block_has_together_are_refused(root):
    (root / "plans" / "ci.toml").write_text(CI + BLOCKS)
    with pytest.raises(UsageError, match="plan ci measures two in none of hello"):
        plan_of(root, contenders=("two",), scenarios=("hello",))


def test_windows_of_a_diff_may_grow_and_margins_and_objective_are_the_plans(root):
    (root / "plans" / "ci.toml").write_text("slo_ms = 50\nmargins = { throughput_rps = 0.2 }\n" + CI)
    commit(root)
    change(root)
    made, _, _, _ = plan_of(root)
    assert (made.window_s, made.longest_window_s, made.slo_ms) == (0.2, 30.0, 50)
    assert made.margins["throughput_rps"] == 0.2


def sides_of(root, base="main", head=None, **wanted):
    """Return the verdict where nothing is compared, the bases compared, the notes and what is left out."""
    with laid_out(root, base, head) as sides:
        made, notes = planned(sides, Selection(**wanted))
        compared = {name.partition("@")[0] for block in made.blocks for name in block.contenders}
        word = "" if made.blocks else why_nothing(sides, made)[0]
        return word, compared, notes, left_out(sides, made)


def write(root, name, content="changed\n"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)


ONE, BOTH = {"one", "one-fast"}, {"one", "one-fast", "two"}


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("apps/one_app/.env", ONE),
        ("apps/one_app/.hidden/deep.py", ONE),
        ("apps/one_app/README.md", ONE),
        ("apps/one_app/docs/page.html", ONE),
        ("apps/two_app/app.py", {"two"}),
        ("apps/schema.sql", BOTH),
        ("apps/Dockerfile", BOTH),
        ("apps/.env", BOTH),
        ("apps/common/lib.py", BOTH),
        ("libs/common/lib.py", BOTH),
        ("shop.py", BOTH),
        (".env", BOTH),
        ("pyproject.toml", BOTH),
    ],
)
def test_every_tracked_file_that_could_matter_is_compared(root, name, compared):
    write(root, name, "first\n")
    commit(root)
    write(root, name)
    commit(root)
    assert sides_of(root, "HEAD~1", "HEAD")[:2] == ("", compared)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("README.md", "documentation"),
        ("docs/guide/ci.rst", "documentation"),
        ("LICENSE", "documentation"),
        ("CHANGELOG", "documentation"),
        ("apps/README.md", "documentation"),
        (".github/workflows/ci.yml", "of CI"),
        (".gitlab-ci.yml", "of CI"),
        (".gitattributes", "of git or an editor"),
        ("plans/other.toml", "the benchmark's own"),
        ("results/reference/report.md", "the benchmark's own"),
        ("apps/checks/test_one.py", "the benchmark's own"),
        ("waivers.toml", "the benchmark's own"),
    ],
)
def test_what_cannot_matter_is_left_out_and_named(root, name, why):
    write(root, name, "")
    commit(root)
    assert sides_of(root, "HEAD~1", "HEAD")[0::3] == ("EQUIVALENT", {name: why})


@pytest.mark.parametrize(
    ("link", "target", "changed"),
    [
        ("apps/one_app/common", "../../libs/common", "libs/common/lib.py"),
        ("apps/one_app/common.py", "../common/lib.py", "apps/common/lib.py"),
        ("apps/one_app/pages", "../../docs/pages", "docs/pages/one.html"),
    ],
)
def test_what_an_app_reads_by_a_link_is_compared(root, link, target, changed):
    write(root, changed, "first\n")
    (root / link).symlink_to(target)
    commit(root)
    write(root, changed)
    assert "one" in sides_of(root, "HEAD")[1]


def test_a_sibling_that_an_app_links_to_or_names_concerns_it(root):
    write(root, "apps/two_app/lib.py", "first\n")
    (root / "apps" / "one_app" / "lib.py").symlink_to("../two_app/lib.py")
    commit(root)
    write(root, "apps/two_app/lib.py")
    assert sides_of(root, "HEAD")[1] == BOTH
    (root / "apps" / "one_app" / "lib.py").unlink()
    write(root, "apps/one_app/app.py", "import sys\nsys.path.append('../two_app')\n")
    commit(root)
    write(root, "apps/two_app/lib.py", "again\n")
    assert sides_of(root, "HEAD")[1] == BOTH


def test_an_app_that_is_a_link_is_compared_by_what_is_there(root):
    (root / "services").mkdir()
    (root / "apps" / "two_app").rename(root / "services" / "two")
    (root / "apps" / "two_app").symlink_to("../services/two")
    commit(root)
    write(root, "services/two/app.py")
    commit(root)
    assert sides_of(root, "HEAD~1", "HEAD")[1] == {"two"}
    write(root, "services/two/app.py", "again\n")
    assert sides_of(root, "HEAD")[1] == {"two"}


def test_a_submodule_that_moved_is_compared(root, tmp_path):
    core = with_submodule(root, tmp_path)
    change_core(root, core)
    assert sides_of(root, "HEAD~1", "HEAD")[1] == ONE


def test_files_of_apps_that_are_not_compared_are_named(root):
    write(root, "apps/one_app/app.py")
    write(root, "apps/two_app/app.py")
    _, compared, notes, _ = sides_of(root, contenders=("two",))
    assert compared == {"two"}
    assert "changed, and compared with nothing here: apps/one_app/app.py" in notes
    (root / "plans" / "ci.toml").write_text(CI)
    (root / "apps" / "one_app" / "app.py").unlink()
    word, _, _, out = sides_of(root)
    assert word == "NOT COMPARED"
    assert out["apps/two_app/app.py"] == "of two_app, of which nothing is compared"


def test_with_declared_sources_all_else_is_left_out_and_named(root):
    write(root, "bench.toml", 'source = ["apps", "libs/common"]\n')
    write(root, "libs/common/lib.py", "")
    write(root, "tools/x.py", "")
    commit(root)
    write(root, "tools/x.py")
    word, _, _, out = sides_of(root, "HEAD")
    assert (word, out) == ("EQUIVALENT", {"tools/x.py": "outside of `source` in bench.toml"})
    write(root, "libs/common/lib.py")
    assert sides_of(root, "HEAD")[1] == BOTH


def test_of_a_bigger_repository_what_lies_beside_the_project_is_named(tmp_path):
    root = make_repository(tmp_path / "all" / "shop")
    shutil.rmtree(root / ".git")
    write(tmp_path / "all", "libs/linked.py", "")
    (root / "apps" / "one_app" / "linked.py").symlink_to("../../../libs/linked.py")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(tmp_path / "all"))
    commit(tmp_path / "all")
    write(tmp_path / "all", "libs/other.py")
    commit(tmp_path / "all")
    word, _, _, out = sides_of(root, "HEAD~1", "HEAD")
    assert (word, list(out)) == ("EQUIVALENT", [":/libs/other.py"])
    write(tmp_path / "all", "libs/linked.py")
    assert (
        sides_of(root, "HEAD")[1] == {"one", "one-fast", "floor"} & sides_of(root, "HEAD", unchanged=True)[1]
    )


def test_untracked_code_is_compared_and_named_and_untracked_data_are_on_both_sides(root):
    write(root, "apps/one_app/data.sqlite", "SQLite format 3\0rows")
    word, _, notes, _ = sides_of(root)
    assert word == "EQUIVALENT"
    assert "untracked databases, laid out on both sides alike: apps/one_app/data.sqlite" in notes
    write(root, "apps/one_app/new.py")
    word, compared, notes, _ = sides_of(root)
    assert (word, compared) == ("", ONE)
    assert "untracked, in the head alone: apps/one_app/new.py" in notes
    notes = sides_of(root, "HEAD", "HEAD")[2]
    assert "untracked, so neither side has: apps/one_app/data.sqlite, apps/one_app/new.py" in notes


def test_what_git_ignores_is_named(root):
    (root / ".gitignore").write_text(".bench/\n*.sqlite\n")
    commit(root)
    write(root, "apps/one_app/data.sqlite")
    assert "git ignores, so neither side has: apps/one_app/data.sqlite" in sides_of(root)[2]


def test_a_link_to_what_git_ignores_is_named(root):
    (root / ".gitignore").write_text(".bench/\nuploads/\n")
    write(root, "uploads/a.png")
    (root / "apps" / "one_app" / "uploads").symlink_to("../../uploads")
    (root / "apps" / "one_app" / "nowhere").symlink_to("gone")
    commit(root)
    notes = sides_of(root)[2]
    assert any(note.endswith("both sides lack them: apps/one_app/uploads") for note in notes)


def test_a_tracked_database_that_differs_is_named(root):
    write(root, "apps/one_app/data.db", "SQLite format 3\0rows")
    commit(root)
    write(root, "apps/one_app/data.db", "SQLite format 3\0more rows")
    assert "databases differ, each side reads its own: apps/one_app/data.db" in sides_of(root, "HEAD")[2]


def test_a_contender_that_was_renamed_is_not_compared_and_never_equivalent(root):
    (root / "plans" / "ci.toml").unlink()
    (root / "apps" / "two_app").rename(root / "apps" / "new_app")
    table = root / "apps" / "new_app" / "contenders.toml"
    table.write_text(
        table.read_text().replace("[two", "[new").replace('"two"', '"new"').replace("cellar", "attic")
    )
    word, compared, notes, _ = sides_of(root)
    assert (word, compared) == ("NOT COMPARED", set())
    assert any(note.startswith("only in the head, compared with nothing: new") for note in notes)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda root: [file.unlink() for file in root.glob("apps/*/*.toml")], "git tracks no apps/"),
        (
            lambda root: (root / "apps" / "scenarios.toml").unlink(),
            r"apps/scenarios\.toml: there is no such file",
        ),
        (
            lambda root: write(root, "apps/scenarios.toml", "[old]\n"),
            r":apps/scenarios\.toml: old: unknown key",
        ),
        (
            lambda root: write(root, "apps/two_app/contenders.toml", "[two]\nx = 1\n"),
            r":apps/two_app/.*unknown key",
        ),
        (lambda root: git(root, "rm", "-rq", "apps"), "git tracks no apps/"),
    ],
)
def test_a_base_with_nothing_to_compare_with_is_no_mistake(root, spoil, why):
    spoil(root)
    commit(root)
    git(root, "revert", "--no-edit", "HEAD")
    with laid_out(root, "HEAD~1", "HEAD") as sides:
        made, _ = planned(sides, Selection())
        word, said = why_nothing(sides, made)
    assert (made.blocks, word) == ((), "NOT COMPARED")
    assert re.search(rf"^the base \(\w{{8}}\) has nothing to compare with: .*{why}", said)
    assert ".bench" not in said
    with pytest.raises(UsageError, match=why), laid_out(root, "HEAD", "HEAD~1"):
        pass


def test_files_of_the_trees_are_named_by_revision_whatever_is_raised(root):
    with (
        pytest.raises(CannotMeasure, match=r"^worktree:apps/one_app/x\.py is slow$"),
        laid_out(root, "main", None) as sides,
    ):
        raise CannotMeasure(f"{sides.head.folder}/apps/one_app/x.py is slow")
    with laid_out(root, "main", None) as sides:
        assert sides.plain(f"see {sides.twin.folder}/apps") == f"see {sides.base.label}:apps"
