import json
import subprocess

import pytest

from bench.observe.fingerprint import fingerprint


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "file").touch()
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path


def test_it_is_plain_json_and_names_the_machine(tmp_path):
    found = fingerprint(tmp_path)

    assert json.loads(json.dumps(found)) == found
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory_bytes"] > 1_000_000
    assert found["harness"]["locust"]


def test_a_checkout_has_a_commit_and_is_dirty_once_a_file_changes(checkout):
    clean = fingerprint(checkout)["project"]
    (checkout / "file").write_text("changed")
    dirty = fingerprint(checkout)["project"]

    assert len(clean["commit"]) == 40
    assert (clean["dirty"], dirty["dirty"]) == (False, True)
    assert dirty["commit"] == clean["commit"]


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path):
    assert fingerprint(tmp_path)["project"] == {"commit": None, "dirty": None}
