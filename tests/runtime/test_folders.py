import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import CannotMeasure
from bench.model.contender import Contender
from bench.runtime.folders import Folders
from bench.runtime.leftovers import Ledger, clear


@pytest.fixture
def root(tmp_path):
    return made(tmp_path / "project")


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "scratch").mkdir()
    with Folders(tmp_path / "scratch", Ledger(tmp_path / "scratch")) as folders:
        yield folders


def made(root: Path) -> Path:
    app = root / "apps" / "tiny_app"
    app.mkdir(parents=True)
    (app / "app.py").write_text("x = 1\n")
    return root


def contender(root):
    return Contender(
        name="tiny",
        base="tiny",
        app="tiny_app",
        root=str(root),
        stack="Tiny",
        interface="wsgi",
        server="tiny",
        command="",
    )


def prepared(folders, root):
    folders.prepare(contender(root), Path(sys.executable))
    return folders.given(contender(root))


def below(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if not file.is_dir()}


def test_everything_an_app_may_read_is_there_and_what_tools_left_is_not(folders, root):
    for name in (
        *("README", ".env", "apps/.hidden/x", "lib/deep/er/y", "apps/tiny_app/results/r", "apps/data.bin"),
        *(".git/config", ".bench/run", ".venvs/a/b", "results/run.json", "lib/__pycache__/old.pyc"),
        *(".pytest_cache/x", "sub/.git", "env/pyvenv.cfg", "web/node_modules/left/pad.js"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"\0" + name.encode())
    (root / "apps" / "tiny_app" / "empty").mkdir()
    (root / "run.sh").write_text("#!")
    (root / "run.sh").chmod(0o755)
    with prepared(folders, root) as own:
        files = {name for name in below(own.project) if "__pycache__" not in name}
        assert files == {
            *("README", ".env", "apps/.hidden/x", "lib/deep/er/y", "apps/tiny_app/results/r"),
            *("apps/data.bin", "apps/tiny_app/app.py", "run.sh"),
        }
        assert (own.project / "apps" / "data.bin").read_bytes() == b"\0apps/data.bin"
        assert (own.project / "run.sh").stat().st_mode & 0o777 == 0o755
        assert (own.project / "apps" / "tiny_app" / "empty").is_dir()
        for linked in ("env", "web/node_modules"):  # never written to, and large
            assert (own.project / linked).resolve() == root / linked
        when = [(folder / "README").stat().st_mtime_ns for folder in (root, own.project)]
        assert when[0] == when[1]


def test_links_lead_to_the_copy_inside_and_to_the_same_place_outside(folders, root, tmp_path):
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "conf").write_text("theirs")
    (root / "shared").mkdir()
    (root / "shared" / "x").write_text("ours")
    app = root / "apps" / "tiny_app"
    links = {
        "relative": "../../shared",
        "absolute": str(root / "shared"),
        "out": "../../../beside/conf",
        "dangling": "nowhere",
    }
    for name, target in links.items():
        (app / name).symlink_to(target)
    with prepared(folders, root) as own:
        copy = own.project / "apps" / "tiny_app"
        assert (copy / "relative").resolve() == (copy / "absolute").resolve() == own.project / "shared"
        assert (copy / "out").read_text() == "theirs"
        assert os.readlink(copy / "dangling") == "nowhere"


def test_what_lies_beside_a_project_of_a_larger_checkout_is_found_where_it_was(folders, tmp_path):
    root = made(tmp_path / "mono" / "services" / "shop")
    (tmp_path / "mono" / ".git").mkdir()
    (tmp_path / "mono" / "lib").mkdir()
    (tmp_path / "mono" / "lib" / "x.py").write_text("x")
    (tmp_path / "mono" / "services" / "other").mkdir()
    with prepared(folders, root) as own:
        app = own.project / "apps" / "tiny_app"
        assert (app / "../../../../lib/x.py").read_text() == "x"
        assert (app / "../../../other").is_dir()
        assert not (app / "../../../../.git").exists()


def test_revisions_are_laid_out_under_paths_as_long_as_each_others(folders, tmp_path):
    roots = [made(tmp_path / "p" / ".bench" / "trees" / name) for name in ("base", "head", "twin")]
    (tmp_path / "p" / ".git").mkdir()
    with (
        prepared(folders, roots[0]) as base,
        prepared(folders, roots[1]) as head,
        prepared(folders, roots[2]) as twin,
    ):
        assert len({len(str(own.project)) for own in (base, head, twin)}) == 1
        assert len({str(own.project) for own in (base, head, twin)}) == 3
        assert not (head.project / ".." / "base").exists()


def test_what_one_server_writes_is_in_no_other_copy_nor_in_the_checkout(folders, root):
    with prepared(folders, root) as one, prepared(folders, root) as two:
        (one.project / "apps" / "tiny_app" / "app.py").write_text("changed")
        (one.home / "new").write_text("x")
        assert (two.project / "apps" / "tiny_app" / "app.py").read_text() == "x = 1\n"
        assert not (two.home / "new").exists()
    with prepared(folders, root) as three:
        assert (three.project / "apps" / "tiny_app" / "app.py").read_text() == "x = 1\n"
    assert below(root) == {"apps/tiny_app/app.py"}


def test_an_edit_while_a_run_goes_on_reaches_no_server_of_it(folders, root):
    with prepared(folders, root):
        (root / "apps" / "tiny_app" / "app.py").write_text("x = 2\n")
    with prepared(folders, root) as own:
        assert (own.project / "apps" / "tiny_app" / "app.py").read_text() == "x = 1\n"


def test_bytecode_is_there_before_the_first_start_and_what_servers_compile_is_taken_over(folders, root):
    (root / "lib").mkdir()
    (root / "lib" / "more.py").write_text("y = 1\n")
    with prepared(folders, root) as own:
        assert list((own.project / "apps" / "tiny_app" / "__pycache__").glob("app.*.pyc"))
        subprocess.run([sys.executable, "-c", "import more"], cwd=own.project / "lib", env={}, check=True)
    with prepared(folders, root) as own:
        (compiled,) = (own.project / "lib" / "__pycache__").glob("more.*.pyc")
        before = compiled.stat().st_mtime_ns
        subprocess.run([sys.executable, "-c", "import more"], cwd=own.project / "lib", env={}, check=True)
        assert compiled.stat().st_mtime_ns == before


def test_paths_into_the_checkout_become_paths_of_the_copy(folders, root):
    with prepared(folders, root) as own:
        assert own.own(f"sqlite:///{root}/data.db") == f"sqlite:///{own.project}/data.db"
        assert own.own(f"{root}/.venvs/x/bin:{root}/.bench/y") == f"{root}/.venvs/x/bin:{root}/.bench/y"
        assert own.own(f"{root}-2/data.db") == f"{root}-2/data.db"


def test_a_killed_run_leaves_nothing_to_the_next(root, tmp_path):
    scratch = tmp_path / "scratch"
    program = f"""
import os, sys
from pathlib import Path
from bench.runtime.folders import Folders
from bench.runtime.leftovers import Ledger
from tests.runtime.test_folders import contender, prepared
folders = Folders(Path({str(scratch)!r}), Ledger(Path({str(scratch)!r})))
folders.__enter__()
prepared(folders, {str(root)!r}).__enter__()
os._exit(9)
"""
    scratch.mkdir()
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False)
    assert list(scratch.glob("bench-servers-*"))
    clear(scratch)
    assert list(scratch.iterdir()) == []


def test_a_project_that_cannot_be_copied_is_reported_in_one_line(folders, root):
    with prepared(folders, root) as own:
        (own.pristine.project / "apps" / "tiny_app" / "app.py").unlink()
        with (
            pytest.raises(CannotMeasure, match=r"project cannot be copied for its servers: .*No such file"),
            folders.given(contender(root)),
        ):
            pytest.fail("given")


def test_a_copy_that_was_used_is_as_it_was_laid_out_for_the_next(folders, root):
    for name in ("a/same", "a/changed", "a/kept-size", "b/deleted", "c/deep/moved"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "link").symlink_to("a/same")

    def content(own):
        return {
            str(path.relative_to(own.place)): os.readlink(path) if path.is_symlink() else path.read_bytes()
            for path in own.place.rglob("*")
            if path.is_symlink() or path.is_file()
        }

    with prepared(folders, root) as own:
        first = content(own)
        copy, times = own.project, (own.project / "a" / "kept-size").stat()
        (copy / "a" / "changed").write_text("other")
        (copy / "a" / "kept-size").write_text("other-siz")
        os.utime(copy / "a" / "kept-size", ns=(times.st_atime_ns, times.st_mtime_ns))
        (copy / "b" / "deleted").unlink()
        (copy / "c" / "deep" / "moved").rename(copy / "moved")
        (copy / "new" / "deep").mkdir(parents=True)
        (copy / "new" / "deep" / "file").write_text("new")
        (copy / "link").unlink()
        (copy / "link").symlink_to("b")
        (copy / "link-2").symlink_to("b")
        os.mkfifo(copy / "pipe")
        (own.home / "x").write_text("x")
        (own.kept / "x").write_text("x")
        (own.place / "beside.db").write_text("x")
        inode = (copy / "a" / "same").stat().st_ino
    with prepared(folders, root) as again:
        assert again.place == own.place
        assert (again.project / "a" / "same").stat().st_ino == inode  # not made anew
        assert content(again) == first
        assert not (again.project / "new").exists()
        shutil.rmtree(again.project / "c")
    with prepared(folders, root) as once_more:
        assert content(once_more) == first


def test_nothing_is_left_when_a_run_ends(root, tmp_path):
    (tmp_path / "scratch").mkdir()
    ledger = Ledger(tmp_path / "scratch")
    with Folders(tmp_path / "scratch", ledger) as folders, prepared(folders, root):
        pass
    ledger.close()
    assert list((tmp_path / "scratch").iterdir()) == []
