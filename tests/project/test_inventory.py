"""What servers of a project can read where it lies, and so what checks and counts are remembered by."""

import shutil

import pytest

from bench.project.inventory import inventory
from tests.project.test_layout import LOCAL, make_core
from tests.support.repositories import commit, git, make_repository


@pytest.fixture(params=["checkout", "no checkout"])
def root(tmp_path, request):
    root = make_repository(tmp_path / "project")
    for name in ("apps/one_app/app.py", "apps/two_app/app.py", "apps/two_app/contenders.toml", "libs/lib.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    (root / ".gitignore").write_text(".bench/\n*.ignored\n__pycache__/\n")
    commit(root)
    if request.param == "no checkout":
        shutil.rmtree(root / ".git")
    return root


def key(root, **more):
    return inventory(root).read_by("one_app", **more)


def write(root, name, content="changed\n"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content)


@pytest.mark.parametrize(
    "name",
    [
        "apps/one_app/app.py",
        "apps/one_app/.env",
        "apps/one_app/README.md",
        "apps/one_app/data.ignored",
        "apps/one_app/new/deep.py",
        "apps/schema.sql",
        "apps/common/lib.py",
        "libs/lib.py",
        ".settings",
        "shop.py",
    ],
)
def test_what_a_server_can_read_counts(root, name):
    before = key(root)
    write(root, name)
    assert key(root) != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/guide.md",
        ".github/workflows/ci.yml",
        "plans/other.toml",
        "results/one/run.json",
        "waivers.toml",
        "apps/scenarios.toml",
        "apps/README.md",
        "apps/checks/test_one.py",
        "apps/two_app/app.py",
        "apps/one_app/__pycache__/app.pyc",
        ".venvs/one/lib/x.py",
        "venv/pyvenv.cfg",
        ".bench/verified/x.json",
        "node_modules/x/y.js",
    ],
)
def test_what_none_reads_does_not(root, name):
    before = key(root)
    write(root, name)
    assert key(root) == before


def test_a_run_that_was_kept_in_the_project_is_no_content(root):
    before = key(root)
    write(root, "out/run.json", '{"schema":1}')
    write(root, "out/report.md")
    assert key(root) == before


def test_checks_count_where_they_are_meant(root):
    before = key(root, with_checks=True)
    write(root, "apps/checks/test_one.py")
    assert key(root, with_checks=True) != before


def test_the_same_content_has_the_same_key_wherever_it_lies(root, tmp_path):
    shutil.copytree(root, root / ".bench" / "trees" / "base", ignore=shutil.ignore_patterns(".bench", ".git"))
    assert key(root / ".bench" / "trees" / "base") == key(root)
    write(root, "libs/lib.py", "staged\n")
    dirty = key(root)
    if (root / ".git").exists():
        commit(root)
    assert key(root) == dirty


def test_a_sibling_that_an_app_links_to_or_names_counts(root):
    write(root, "apps/one_app/app.py", "import sys; sys.path.append('../two_app')\n")
    before = key(root)
    write(root, "apps/two_app/app.py")
    assert key(root) != before
    write(root, "apps/one_app/app.py", "")
    (root / "apps" / "one_app" / "views").symlink_to("../two_app")
    before = key(root)
    write(root, "apps/two_app/app.py", "again\n")
    assert key(root) != before


def test_what_a_link_out_of_the_project_leads_to_counts(root, tmp_path):
    write(tmp_path, "elsewhere/lib.py", "x = 1\n")
    (root / "apps" / "one_app" / "lib").symlink_to(tmp_path / "elsewhere")
    before = key(root)
    write(tmp_path, "elsewhere/lib.py", "x = 10\n")
    assert key(root) != before


def test_outside_of_declared_sources_nothing_counts(root):
    write(root, "bench.toml", 'source = ["apps"]\n')
    before = key(root)
    write(root, "libs/lib.py")
    assert key(root) == before
    write(root, "apps/common.py")
    assert key(root) != before


def test_of_a_project_in_a_bigger_repository_its_own_files_count(tmp_path):
    root = make_repository(tmp_path / "all" / "shop")
    shutil.rmtree(root / ".git")
    git(tmp_path, "init", "--quiet", str(tmp_path / "all"))
    commit(tmp_path / "all")
    before = key(root)
    write(tmp_path / "all", "other/x.py")
    assert key(root) == before
    write(root, "apps/one_app/app.py")
    assert key(root) != before


def test_a_submodule_counts_and_one_that_is_not_checked_out_is_no_mistake(tmp_path):
    root = make_repository(tmp_path / "project")
    git(root, *LOCAL, "submodule", "add", "--quiet", str(make_core(tmp_path)), "apps/one_app/core")
    commit(root)
    before = key(root)
    write(root, "apps/one_app/core/__init__.py", "version = 2\n")
    assert key(root) != before
    git(tmp_path, "clone", "--quiet", str(root), "clone")
    assert key(tmp_path / "clone") != before
