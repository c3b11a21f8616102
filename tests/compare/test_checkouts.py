import subprocess

import pytest

from bench.compare.checkouts import commit_of, lay_out, lay_out_worktree, where_it_left
from bench.errors import UsageError
from bench.project.sources import sources
from tests.support.repositories import commit, git, make_repository


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "project")


def app(folder):
    return folder / "apps" / "one_app" / "app.py"


def test_a_revision_is_laid_out_as_it_was(root, tmp_path):
    app(root).write_text("old = 1\n")
    old = commit(root)
    app(root).write_text("new = 1\n")
    commit(root)
    tree = lay_out(root, commit_of(root, "HEAD~1"), tmp_path / "tree")
    assert (tree.commit, tree.label) == (old, old[:8])
    assert app(tree.folder).read_text() == "old = 1\n"
    assert (tree.folder / "plans").exists()
    assert not (tree.folder / ".git").exists()


def test_what_packages_are_installed_from_is_laid_out_though_source_does_not_name_it(tmp_path):
    root = tmp_path / "shop"
    for name in ("src/shop.py", "uv.lock", "pyproject.toml", "locks/base.txt", "locks/prod.txt", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    table = '[contenders.shop]\ncommand = "serve"\ninstall = ["uv.lock", "locks/prod.txt"]\n'
    (root / "bench.toml").write_text(f'source = ["src"]\n{table}')
    git(root, "init", "-q")
    commit(root)
    tree = lay_out(root, commit_of(root, "HEAD"), tmp_path / "tree", where=sources(root)).folder
    laid = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}
    installed = {"uv.lock", "pyproject.toml", "locks/base.txt", "locks/prod.txt"}
    assert laid == {"src/shop.py", "bench.toml", *installed}


def test_the_working_tree_is_what_its_files_are_without_what_git_ignores(root, tmp_path):
    app(root).write_text("committed = 1\n")
    (root / "apps" / "one_app" / "gone.py").write_text("")
    commit(root)
    app(root).write_text("changed = 1\n")
    (root / "apps" / "one_app" / "gone.py").unlink()
    (root / "apps" / "one_app" / "new.py").write_text("new = 1\n")
    (root / ".gitignore").write_text("*.log\n")
    (root / "apps" / "one_app" / "server.log").write_text("much\n")
    tree = lay_out_worktree(root, tmp_path / "tree")
    assert tree.label == "worktree"
    assert app(tree.folder).read_text() == "changed = 1\n"
    found = {file.name for file in (tree.folder / "apps" / "one_app").iterdir()}
    assert found == {"app.py", "new.py", "contenders.toml"}


def test_a_project_in_a_folder_of_a_repository_is_laid_out_from_there(tmp_path):
    root = make_repository(tmp_path / "all" / "services" / "bench")
    subprocess.run(["rm", "-rf", str(root / ".git")], check=True)
    git(tmp_path / "all", "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path / "all")
    tree = lay_out(root, commit_of(root, "main"), tmp_path / "tree")
    assert (tree.folder / "apps" / "one_app" / "contenders.toml").exists()
    assert (lay_out_worktree(root, tmp_path / "now").folder / "apps" / "scenarios.toml").exists()


def test_a_branch_is_compared_with_where_it_left(root):
    left = commit(root)
    git(root, "switch", "--quiet", "--create", "feature")
    commit(root, "ours")
    assert where_it_left(root, "main") == (left, "")
    git(root, "switch", "--quiet", "main")
    commit(root, "theirs")
    git(root, "switch", "--quiet", "feature")
    found, note = where_it_left(root, "main")
    assert found == left
    assert note == f"main has gone on since: compared with {left[:8]}, where HEAD left it"


def test_without_a_common_ancestor_it_is_the_base_itself_and_that_is_said(root):
    git(root, "switch", "--quiet", "--orphan", "other")
    commit(root, "another beginning")
    found, note = where_it_left(root, "main")
    assert found == commit_of(root, "main")
    assert "no common ancestor" in note


@pytest.mark.parametrize("name", ["nowhere", "--help", "HEAD:README.md", ""])
def test_an_unknown_revision_is_told_with_what_to_do(root, name):
    with pytest.raises(UsageError, match=f"unknown revision {name}: `git branch --all`"):
        commit_of(root, name)


def test_in_a_shallow_clone_the_remedy_is_its_depth(root, tmp_path):
    commit(root)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{root}", "shallow")
    with pytest.raises(UsageError, match=r"this clone is shallow: .*fetch-depth: 0"):
        commit_of(tmp_path / "shallow", "HEAD~1")


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="is no git checkout"):
        commit_of(tmp_path, "main")
