import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from bench.observe.comparable import differences
from bench.observe.fingerprint import content, cpu_model, fingerprint, locks, machine_class
from tests.support.projects import make_project

IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.com"]


def git(folder, *arguments, at=None):
    env = os.environ | ({"GIT_COMMITTER_DATE": at} if at else {})
    subprocess.run(["git", "-C", folder, *IDENTITY, *arguments], check=True, capture_output=True, env=env)


@pytest.fixture
def checkout(tmp_path):
    """A project whose lock was committed ten days ago, and something else today."""
    project = make_project(tmp_path / "project")
    (project / "apps" / "one_app" / "requirements.txt").write_text("flask==3.1\n")
    ten_days_ago = datetime.now(UTC) - timedelta(days=10, minutes=1)
    git(project, "init")
    git(project, "add", ".")
    git(project, "commit", "-m", "first", at=ten_days_ago.isoformat())
    (project / "README.md").touch()
    git(project, "add", ".")
    git(project, "commit", "-m", "second")
    return project


def test_it_is_plain_json_and_names_the_machine(tmp_path):
    found = fingerprint(tmp_path)

    assert json.loads(json.dumps(found)) == found
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory_bytes"] > 1_000_000
    assert found["machine"]["class"].startswith(found["machine"]["architecture"])
    assert found["python"]["compiler"]
    assert found["harness"]["locust"]
    assert found["content"]["bench"]


def test_two_looks_at_the_same_project_tell_the_same(checkout):
    assert differences(fingerprint(checkout), fingerprint(checkout)) == ()


def test_a_checkout_has_a_commit_and_is_dirty_once_a_file_changes(checkout):
    clean = fingerprint(checkout)["project"]
    (checkout / "README.md").write_text("changed")
    dirty = fingerprint(checkout)["project"]

    assert len(clean["commit"]) == 40
    assert datetime.fromisoformat(clean["committed_at"]) <= datetime.now(UTC)
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
    assert dirty["commit"] == clean["commit"]


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path):
    assert fingerprint(tmp_path)["project"] == {"commit": None, "committed_at": None, "dirty": None}


def test_a_checkout_that_git_refuses_is_none_and_has_the_reason(checkout):
    (checkout / ".git" / "config").write_text("[broken")
    found = fingerprint(checkout)["project"]
    assert (found["commit"], found["dirty"]) == (None, None)
    assert "bad config line" in found["refused"]


def test_files_beside_the_apps_are_content_of_their_own(tmp_path):
    project = make_project(tmp_path)
    assert "shared" not in content(project)
    (project / "shop.py").touch()
    before = content(project)
    (project / "shop.py").write_text("changed = 1")
    assert {name for name in before if before[name] != content(project)[name]} == {"shared"}


def test_files_with_a_dot_and_behind_links_are_content_of_their_app(tmp_path):
    project = make_project(tmp_path / "project")
    app = project / "apps" / "one_app"
    (tmp_path / "lib").mkdir()
    (app / "lib").symlink_to(tmp_path / "lib")
    (tmp_path / "lib" / "around").symlink_to(".")
    for file in (app / ".env", tmp_path / "lib" / "lib.py"):
        before = content(project)["apps"]
        file.write_text("changed")
        assert content(project)["apps"] != before


def test_a_lock_is_as_old_as_the_commit_that_changed_it_last(checkout):
    lock = fingerprint(checkout)["locks"]["one_app"]
    assert (lock["age_days"], lock["changed"]) == (10, False)
    (checkout / "apps" / "one_app" / "requirements.txt").write_text("flask==3.2\n")
    assert fingerprint(checkout)["locks"]["one_app"] == {**lock, "changed": True}


def test_a_service_of_bench_toml_has_the_lock_that_it_is_installed_from(tmp_path):
    table = '[contenders.{0}]\ncommand = "serve"\n{1}'
    own = table.format("shop", ""), table.format("other", 'folder = "other"\ninstall = []')
    (tmp_path / "other").mkdir()
    (tmp_path / "bench.toml").write_text("\n".join(own))
    (tmp_path / "uv.lock").touch()
    assert list(locks(tmp_path)) == ["app"]
    (tmp_path / "uv.lock").unlink()
    assert locks(tmp_path) == {}


def test_the_age_of_a_lock_is_not_known_without_its_history(checkout, tmp_path):
    unknown = {"committed_at": None, "age_days": None, "changed": None}
    git(tmp_path, "clone", "--depth", "1", checkout.as_uri(), "shallow")
    assert fingerprint(tmp_path / "shallow")["locks"]["one_app"] == {**unknown, "changed": False}
    shutil.rmtree(checkout / ".git")
    assert fingerprint(checkout)["locks"]["one_app"] == unknown


@pytest.mark.parametrize(
    ("architecture", "cpu", "memory_gib", "said"),
    [
        ("x86_64", "Intel(R) Xeon(R)  CPU @ 2.60GHz", 7.76, "x86_64, Intel(R) Xeon(R) CPU, 4 cores, 8 GiB"),
        ("arm64", "Apple M4", 16.0, "arm64, Apple M4, 4 cores, 16 GiB"),
        ("riscv64", None, 3.8, "riscv64, unknown CPU, 4 cores, 4 GiB"),
    ],
)
def test_a_machine_class_has_nothing_that_moves(architecture, cpu, memory_gib, said):
    assert machine_class(architecture, cpu, 4, round(memory_gib * 2**30)) == said


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        ("processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC\ncpu MHz\t\t: 2596.1\n", "AMD EPYC"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "implementer 0x41 part 0xd0c"),
        ("", None),
    ],
)
def test_a_cpu_is_told_by_its_name_or_its_numbers(cpuinfo, model):
    assert cpu_model(cpuinfo) == model


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("apps/one_app/views.py", "apps"),
        ("apps/schema.sql", "data"),
        ("apps/seed.sql", "data"),
        ("apps/scenarios.toml", "scenarios"),
        ("apps/checks/test_one.py", "checks"),
        ("apps/openapi.yaml", "checks"),
    ],
)
def test_a_changed_file_changes_the_hash_of_its_part_alone(tmp_path, file, part):
    project = make_project(tmp_path)
    before = content(project)
    path = project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.read_text() + "# changed\n" if path.exists() else "changed\n")
    after = content(project)
    assert {name for name in before if before[name] != after[name]} == {part}


def test_what_tools_leave_behind_changes_nothing(tmp_path):
    project = make_project(tmp_path)
    before = content(project)
    for file in ("apps/one_app/__pycache__/app.pyc", "apps/one_app/.app.py.swp"):
        (project / file).parent.mkdir(exist_ok=True)
        (project / file).write_text("anything")
    assert content(project) == before


def test_a_file_that_moved_or_lost_a_line_to_its_neighbour_is_other_content(tmp_path):
    project = make_project(tmp_path)
    (project / "apps" / "a.sql").write_text("one;two;")
    before = content(project)["data"]
    (project / "apps" / "a.sql").write_text("one;")
    (project / "apps" / "b.sql").write_text("two;")
    assert content(project)["data"] != before


def test_the_harness_is_told_by_its_own_source(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for bench, line in ((here, "x = 1"), (there, "x = 2")):
        bench.mkdir()
        (bench / "cli.py").write_text(line)
    assert content(tmp_path, here)["bench"] == content(tmp_path, here)["bench"]
    assert content(tmp_path, here)["bench"] != content(tmp_path, there)["bench"]
