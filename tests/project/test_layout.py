"""Whatever git tracks is laid out alike, as a checkout would write it: only content tells trees apart."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.compare.checkouts import commit_of, ignored, lay_out, lay_out_worktree, untracked
from bench.errors import UsageError
from bench.project.changed import digests
from bench.project.sources import Sources
from tests.support.repositories import commit, git, make_repository

LOCAL = ("-c", "protocol.file.allow=always")


@pytest.fixture
def root(tmp_path):
    return make_repository(tmp_path / "project")


@pytest.fixture
def app(root):
    return root / "apps" / "one_app"


def both(root, tmp_path, **more):
    """Lay out the last commit and the working tree."""
    for old in ("base", "head"):
        shutil.rmtree(tmp_path / old, ignore_errors=True)
    base = lay_out(root, commit_of(root, "HEAD"), tmp_path / "base", **more)
    return base.folder, lay_out_worktree(root, tmp_path / "head", **more).folder


def everything(folder):
    """Return kind, mode, time and content of all that is below *folder*."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        held = os.readlink(path) if path.is_symlink() else None if path.is_dir() else path.read_bytes()
        found[os.fsencode(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime, held)
    return found


def make_core(tmp_path):
    """Make a repository that comes to be a submodule."""
    core = tmp_path / "core"
    core.mkdir()
    git(core, "init", "--quiet", "--initial-branch", "main")
    (core / "__init__.py").write_text("version = 1\n")
    commit(core)
    return core


def with_submodule(root, tmp_path, at="apps/one_app/core"):
    core = make_core(tmp_path)
    git(root, *LOCAL, "submodule", "add", "--quiet", str(core), at)
    commit(root, "with a submodule")
    return core


def change_core(root, core, at="apps/one_app/core"):
    (core / "__init__.py").write_text("version = 2\n")
    commit(core)
    git(root / at, *LOCAL, "pull", "--quiet")
    commit(root, "moved")


def all_kinds(root):
    """Write files of every kind into the project."""
    app = root / "apps" / "one_app"
    for name in (
        "a name with spaces.txt",
        "line\nbreak.txt",
        "größe.txt",
        '"quoted".txt',
        "star*.txt",
        ".env",
    ):
        (app / name).write_text(name)
    (app / os.fsdecode(b"latin-\xe9.txt")).write_text("no text as a name")
    (app / "run.sh").write_text("#!/bin/sh\n")
    (app / "run.sh").chmod(0o755)
    (app / "private.txt").write_text("x")
    (app / "private.txt").chmod(0o600)
    (app / "empty.txt").touch()
    (app / "data.bin").write_bytes(bytes(range(256)))
    (root / ".gitattributes").write_text(
        "*.crlf text eol=crlf\n*.utf16 text working-tree-encoding=UTF-16LE\n"
        "*.secret export-ignore\n*.id ident\n"
        "*.sub export-subst\n*.made filter=shout\n"
    )
    (root / "text.crlf").write_bytes(b"one\r\ntwo\r\n")
    (root / "text.utf16").write_bytes("grüße\n".encode("utf-16-le"))
    (root / "kept.secret").write_text("not left out\n")
    (root / "kept.sub").write_text("$Format:%H$\n")
    (root / "kept.id").write_text("$Id$\n")
    (root / "text.made").write_text("quiet\n")
    (root / "libs").mkdir()
    (root / "libs" / "lib.py").write_text("x = 1\n")
    (app / "libs").symlink_to("../../libs")
    (app / "lib.py").symlink_to("../../libs/lib.py")
    (app / "gone").symlink_to("../nowhere")
    (app / "around").symlink_to("around")


def test_base_and_head_of_the_same_content_are_alike_byte_for_byte_and_mode_for_mode(root, tmp_path):
    git(root, "config", "filter.shout.smudge", "tr a-z A-Z")
    git(root, "config", "filter.shout.clean", "tr A-Z a-z")
    all_kinds(root)
    commit(root)
    base, head = (everything(folder) for folder in both(root, tmp_path))
    assert base == head
    command = ["git", "-C", str(root), "ls-files", "-z"]
    tracked = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
    assert set(base) >= set(filter(None, tracked))
    app = b"apps/one_app/"
    assert base[b"text.crlf"][2] == b"one\r\ntwo\r\n"
    assert base[b"text.utf16"][2] == "grüße\n".encode("utf-16-le")
    assert base[b"kept.sub"][2] == b"$Format:%H$\n"
    assert base[b"kept.secret"][2] == b"not left out\n"
    assert base[b"text.made"][2] == b"QUIET\n"
    assert base[app + b"run.sh"][0] & 0o100
    assert base[app + b"libs"][2] == "../../libs"
    assert (tmp_path / "base" / "apps" / "one_app" / "libs" / "lib.py").read_text() == "x = 1\n"


def test_what_is_changed_is_as_it_lies_there_and_all_else_as_it_was(root, app, tmp_path):
    all_kinds(root)
    commit(root)
    (app / "empty.txt").write_text("changed")
    (app / ".env").unlink()
    (app / "data.bin").chmod(0o755)
    (app / "lib.py").unlink()
    (app / "lib.py").write_text("no link any more\n")
    (app / "gone").unlink()
    (app / "gone").mkdir()
    (app / "gone" / "now.py").write_text("a folder\n")
    (app / "staged.py").write_text("new\n")
    git(root, "add", "apps/one_app/staged.py")
    (app / "meant.py").write_text("intended\n")
    git(root, "add", "--intent-to-add", "apps/one_app/meant.py")
    base, head = map(digests, both(root, tmp_path))
    differing = {path for path in base.keys() | head.keys() if base.get(path) != head.get(path)}
    names = ("empty.txt", ".env", "data.bin", "lib.py", "gone", "gone/now.py", "staged.py", "meant.py")
    assert differing == {f"apps/one_app/{name}" for name in names}


def test_a_file_that_git_was_made_to_overlook_is_as_it_lies_there(root, app, tmp_path):
    (app / "local.py").write_text("x = 1\n")
    commit(root)
    git(root, "update-index", "--assume-unchanged", "apps/one_app/local.py")
    (app / "local.py").write_text("x = 2\n")
    assert (both(root, tmp_path)[1] / "apps/one_app/local.py").read_text() == "x = 2\n"


def test_a_conflict_is_as_it_lies_there(root, app, tmp_path):
    (app / "app.py").write_text("first\n")
    commit(root)
    git(root, "switch", "--quiet", "--create", "other")
    (app / "app.py").write_text("other\n")
    commit(root)
    git(root, "switch", "--quiet", "main")
    (app / "app.py").write_text("ours\n")
    commit(root)
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "other")
    assert "<<<<<<<" in (both(root, tmp_path)[1] / "apps/one_app/app.py").read_text()


def test_the_checkout_is_left_as_it_was(root, app, tmp_path):
    (app / "app.py").write_text("x = 1\n")
    (app / "new.py").write_text("x = 1\n")
    before = (git(root, "status", "--porcelain"), (root / ".git" / "index").read_bytes())
    both(root, tmp_path)
    assert (git(root, "status", "--porcelain"), (root / ".git" / "index").read_bytes()) == before


def test_a_hook_may_call_it(root, app, tmp_path, monkeypatch):
    (app / "app.py").write_text("x = 1\n")
    commit(root)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere")
    base, head = both(root, tmp_path)
    assert everything(base) == everything(head)


def test_of_a_bigger_repository_the_project_is_laid_out_and_what_its_links_lead_to(tmp_path):
    top = tmp_path / "all"
    root = make_repository(top / "services" / "bench")
    shutil.rmtree(root / ".git")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(top))
    app = root / "apps" / "one_app"
    (top / "libs" / "common" / "deep").mkdir(parents=True)
    (top / "libs" / "common" / "deep" / "lib.py").write_text("x = 1\n")
    (top / "libs" / "common" / "up").symlink_to("deep/lib.py")
    (top / "libs" / "common" / "out").symlink_to("../other/one.py")
    (top / "libs" / "other").mkdir()
    (top / "libs" / "other" / "one.py").write_text("one = 1\n")
    (top / "shared").symlink_to("libs")
    (top / ".gitattributes").write_text("*.crlf text eol=crlf\n")
    (app / "text.crlf").write_bytes(b"one\r\n")
    (app / "common").symlink_to("../../../../shared/common")
    (app / "round").symlink_to("../../../../services/bench/apps/scenarios.toml")
    commit(top)
    base, head = both(root, tmp_path)
    assert everything(base) == everything(head)
    laid = base / "apps" / "one_app"
    assert (laid / "common" / "deep" / "lib.py").read_text() == "x = 1\n"
    assert (laid / "common" / "up").read_text() == "x = 1\n"
    assert (laid / "common" / "out").read_text() == "one = 1\n"
    assert (laid / "text.crlf").read_bytes() == b"one\r\n"
    assert (laid / "round").resolve() == (base / "apps" / "scenarios.toml").resolve()
    assert not (laid / "common").is_symlink()
    assert {one.name for one in tmp_path.iterdir()} == {"all", "base", "head"}
    (top / "libs" / "common" / "deep" / "lib.py").write_text("x = 2\n")
    _, head = both(root, tmp_path)
    assert (head / "apps/one_app/common/deep/lib.py").read_text() == "x = 2\n"


@pytest.mark.parametrize("target", ["../../../..", "../../../../libs"])
def test_a_link_that_comes_back_to_where_it_lies_is_refused(tmp_path, target):
    top = tmp_path / "all"
    root = make_repository(top / "services" / "bench")
    shutil.rmtree(root / ".git")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(top))
    (top / "libs").mkdir()
    (top / "libs" / "all").symlink_to("../services")
    (root / "apps" / "one_app" / "common").symlink_to(target)
    commit(top)
    with pytest.raises(UsageError, match="the link apps/one_app/common leads out of the project and back"):
        lay_out(root, commit_of(root, "HEAD"), tmp_path / "base")


@pytest.mark.parametrize("target", ["/usr/share", "../../../elsewhere", "../../../project/apps"])
def test_a_link_out_of_the_repository_is_refused_by_name(root, app, tmp_path, target):
    (app / "data").symlink_to(target)
    commit(root)
    said = rf"apps/one_app/data of \w+ is a link out of the repository, to {target}: put"
    with pytest.raises(UsageError, match=said):
        lay_out(root, commit_of(root, "HEAD"), tmp_path / "base")
    with pytest.raises(UsageError, match=said):
        lay_out_worktree(root, tmp_path / "head")


def test_a_link_out_of_the_repository_that_cannot_matter_stays(root, tmp_path):
    (root / "docs").mkdir()
    (root / "docs" / "data").symlink_to("/usr/share")
    commit(root)
    assert (both(root, tmp_path)[0] / "docs" / "data").is_symlink()


def test_a_submodule_is_at_the_commit_that_each_revision_names(root, tmp_path):
    core = with_submodule(root, tmp_path)
    change_core(root, core)
    old = lay_out(root, commit_of(root, "HEAD~1"), tmp_path / "old").folder
    base, head = both(root, tmp_path)
    assert (old / "apps/one_app/core/__init__.py").read_text() == "version = 1\n"
    assert (base / "apps/one_app/core/__init__.py").read_text() == "version = 2\n"
    assert everything(base) == everything(head)
    assert not (base / "apps/one_app/core/.git").exists()


def test_what_is_changed_in_a_submodule_belongs_to_the_working_tree(root, app, tmp_path):
    with_submodule(root, tmp_path)
    (app / "core" / "__init__.py").write_text("version = 3\n")
    (app / "core" / "new.py").write_text("new = 1\n")
    base, head = both(root, tmp_path)
    assert (base / "apps/one_app/core/__init__.py").read_text() == "version = 1\n"
    assert (head / "apps/one_app/core/__init__.py").read_text() == "version = 3\n"
    assert lay_out_worktree(root, tmp_path / "again").untracked == ("apps/one_app/core/new.py",)
    git(app / "core", "commit", "--quiet", "--all", "--message", "not staged above")
    assert (both(root, tmp_path)[1] / "apps/one_app/core/__init__.py").read_text() == "version = 3\n"


def test_submodules_of_submodules_and_links_into_them_are_laid_out(root, app, tmp_path):
    core = make_core(tmp_path)
    middle = tmp_path / "middle"
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(middle))
    git(middle, *LOCAL, "submodule", "add", "--quiet", "--name", "inner name", str(core), "inner")
    commit(middle)
    git(root, *LOCAL, "submodule", "add", "--quiet", str(middle), "vendor/middle")
    git(root, *LOCAL, "submodule", "update", "--quiet", "--init", "--recursive")
    (app / "inner").symlink_to("../../vendor/middle/inner")
    commit(root)
    base, head = both(root, tmp_path, where=Sources(declared=("apps",)))
    assert (base / "apps/one_app/inner/__init__.py").read_text() == "version = 1\n"
    assert everything(base) == everything(head)


def test_a_base_whose_submodule_was_removed_since_is_laid_out_from_what_git_keeps(root, tmp_path):
    with_submodule(root, tmp_path)
    git(root, "rm", "--quiet", "apps/one_app/core")
    commit(root, "without")
    tree = lay_out(root, commit_of(root, "HEAD~1"), tmp_path / "base")
    assert (tree.folder / "apps/one_app/core/__init__.py").read_text() == "version = 1\n"


def test_a_submodule_that_is_not_checked_out_is_refused_with_the_command(root, tmp_path):
    with_submodule(root, tmp_path)
    git(tmp_path, *LOCAL, "clone", "--quiet", str(root), "clone")
    clone = tmp_path / "clone"
    said = r"the submodule apps/one_app/core of \w+ is not checked out: `git submodule update --init"
    with pytest.raises(UsageError, match=said):
        lay_out(clone, commit_of(clone, "HEAD"), tmp_path / "base")
    with pytest.raises(UsageError, match=said):
        lay_out_worktree(clone, tmp_path / "head")


def test_a_submodule_whose_commit_is_not_here_is_refused_with_the_command(root, app, tmp_path):
    with_submodule(root, tmp_path)
    there = "1" * 40
    git(root, "update-index", "--cacheinfo", f"160000,{there},apps/one_app/core")
    git(root, "commit", "--quiet", "--message", "ahead")
    with pytest.raises(UsageError, match=f"`git -C apps/one_app/core fetch origin {there}`"):
        lay_out(root, commit_of(root, "HEAD"), tmp_path / "base")


def test_a_submodule_that_cannot_matter_may_be_missing(root, tmp_path):
    with_submodule(root, tmp_path, at="docs/theme")
    git(tmp_path, *LOCAL, "clone", "--quiet", str(root), "clone")
    base, head = both(tmp_path / "clone", tmp_path)
    assert everything(base) == everything(head)


@pytest.mark.parametrize("kind", ["worktree", "shallow", "sparse", "sparse-index"])
def test_checkouts_of_other_kinds_are_laid_out_alike(root, tmp_path, kind):
    all_kinds(root)
    (root / "far").mkdir()
    (root / "far" / "away.txt").write_text("x")
    commit(root)
    there = tmp_path / "there"
    if kind == "worktree":
        git(root, "worktree", "add", "--quiet", str(there))
    else:
        depth = ["--depth", "1"] if kind == "shallow" else []
        git(tmp_path, "clone", "--quiet", *depth, root.as_uri(), "there")
    if kind.startswith("sparse"):
        git(
            there,
            "sparse-checkout",
            "set",
            "--cone",
            *(["--sparse-index"] if "index" in kind else []),
            "apps",
        )
        assert not (there / "far").exists()
    base, head = both(there, tmp_path)
    assert everything(base) == everything(head)
    assert (base / "far" / "away.txt").exists()


def test_with_declared_sources_only_those_are_laid_out(root, app, tmp_path):
    for name in ("libs/common/lib.py", "libs/other/lib.py", "tools/tool.py"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("x = 1\n")
    (app / "tool.py").symlink_to("../../tools/tool.py")
    commit(root)
    where = Sources(declared=("apps", "libs/common"))
    base, head = both(root, tmp_path, where=where)
    assert everything(base) == everything(head)
    assert (base / "libs/common/lib.py").exists()
    assert (base / "apps/one_app/tool.py").read_text() == "x = 1\n"
    assert not (base / "libs/other").exists()
    assert not (base / "plans").exists()


def test_untracked_files_are_the_heads_alone_but_databases_are_data(root, app, tmp_path):
    (app / "new.py").write_text("x = 1\n")
    (app / "data.sqlite").write_bytes(b"SQLite format 3\0 and so on")
    for end in ("-wal", "-shm"):
        (app / f"data.sqlite{end}").write_bytes(b"beside it")
    (app / "empty.db").touch()
    (app / "notes-wal").write_text("of nothing")
    for made in ("__pycache__/app.pyc", "env/pyvenv.cfg", "env/lib/x.py", "node_modules/x.js", ".app.py.swp"):
        (app / made).parent.mkdir(parents=True, exist_ok=True)
        (app / made).write_text("made")
    head = lay_out_worktree(root, tmp_path / "head")
    assert set(head.untracked) == {"apps/one_app/new.py", "apps/one_app/notes-wal"}
    names = ("data.sqlite", "data.sqlite-wal", "data.sqlite-shm", "empty.db")
    assert set(head.data) == {f"apps/one_app/{name}" for name in names}
    base = lay_out(root, commit_of(root, "HEAD"), tmp_path / "base", data=head.data)
    for name in names:
        assert (base.folder / "apps/one_app" / name).read_bytes() == (
            head.folder / "apps/one_app" / name
        ).read_bytes()
    assert not (head.folder / "apps/one_app/env").exists()


def test_a_database_of_a_folder_that_the_base_has_not_as_one_stays_with_the_head(root, app, tmp_path):
    (app / "data").symlink_to("../scenarios.toml")
    commit(root)
    (app / "data").unlink()
    (app / "data").mkdir()
    (app / "data" / "some.db").touch()
    head = lay_out_worktree(root, tmp_path / "head")
    base = lay_out(root, commit_of(root, "HEAD"), tmp_path / "base", data=head.data)
    assert (base.folder / "apps/one_app/data").is_symlink()


def test_a_repository_within_that_is_no_submodule_is_untracked(root, app, tmp_path):
    inner = app / "inner"
    git(app, "init", "--quiet", str(inner))
    (inner / "one.py").write_text("x = 1\n")
    commit(inner)
    (inner / "two.py").write_text("x = 2\n")
    head = lay_out_worktree(root, tmp_path / "head")
    assert set(head.untracked) == {"apps/one_app/inner/one.py", "apps/one_app/inner/two.py"}


def test_what_neither_side_has_is_named_without_what_tools_make(root, app):
    (root / ".gitignore").write_text("*.sqlite\n.env\n__pycache__/\nenv/\nuploads/\n.bench/\n")
    for name in ("data.sqlite", ".env", "__pycache__/app.pyc", "env/pyvenv.cfg", "uploads/a.png", "new.py"):
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text("x")
    assert ignored(root, ["apps/one_app"]) == tuple(
        f"apps/one_app/{name}" for name in (".env", "data.sqlite", "uploads/")
    )
    assert set(untracked(root)) == {"apps/one_app/new.py"}


def test_a_file_that_nobody_may_read_is_one_line(root, app, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (app / "secret.py").write_text("x")
    (app / "secret.py").chmod(0)
    with pytest.raises(UsageError, match=r"secret\.py cannot be copied: Permission denied"):
        lay_out_worktree(root, tmp_path / "head")


def test_a_filter_that_fails_is_one_line(root, app, tmp_path):
    git(root, "config", "filter.broken.clean", "cat")
    git(root, "config", "filter.broken.smudge", "false")
    git(root, "config", "filter.broken.required", "true")
    (root / ".gitattributes").write_text("*.big filter=broken\n")
    (app / "one.big").write_text("x")
    commit(root)
    with pytest.raises(UsageError, match=r"cannot be laid out: .*one\.big"):
        lay_out(root, commit_of(root, "HEAD"), tmp_path / "base")


def test_times_are_alike_on_all_sides(root, tmp_path):
    base, head = both(root, tmp_path)
    assert {path.lstat().st_mtime for folder in (base, head) for path in Path(folder).rglob("*")} == {
        978_307_200.0
    }
