"""The nightly workflow's own lines, carried out with a `gh` that only notes what it is called with."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
needs_jq = pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")


def scripts():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "benchmark.yml").read_text())
    return [step["run"] for step in workflow["jobs"]["since"]["steps"] if "run" in step]


def script_with(text):
    (found,) = [one for one in scripts() if text in one]
    return found


def carried_out(script, folder, **env):
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],  # as GitHub does
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_jq
@pytest.mark.parametrize(
    ("issue", "calls"),
    [
        ({"action": "nothing"}, []),
        (
            {"action": "open", "title": "$(touch x) slower"},
            ["label create", "issue create --title $(touch x)"],
        ),
        ({"action": "update", "number": 7, "title": "slower"}, ["issue edit 7 --title slower --body-file"]),
        ({"action": "close", "number": 7}, ["issue edit 7 --body-file body.md", "issue close 7"]),
    ],
)
def test_each_action_is_a_call_of_gh(tmp_path, issue, calls):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gh").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    (programs / "gh").chmod(0o755)
    written = {"number": None, "title": "", "body": "what became slower\n"} | issue
    (tmp_path / "issue.json").write_text(json.dumps(written))
    done = carried_out(script_with("gh issue create"), tmp_path, PATH=f"{programs}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    noted = (tmp_path / "calls").read_text().splitlines() if calls else []
    assert len(noted) == len(calls)
    assert all(one.startswith(call) for one, call in zip(noted, calls, strict=True)), noted
    assert (tmp_path / "body.md").read_text().strip() == "what became slower"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("files", "before"),
    [
        (["a/20260101T000000Z-full-aaaaaaaa.json"], "a/20260101T000000Z-full-aaaaaaaa.json"),
        (
            [
                "b/20260101T000000Z-full-a.json",
                "a/20260103T000000Z-full-c.json",
                "a/20260102T000000Z-full-b.json",
            ],
            "a/20260102T000000Z-full-b.json",
        ),
    ],
)
def test_the_run_of_the_night_before_is_the_last_but_one(tmp_path, files, before):
    here = tmp_path / "here"
    here.mkdir()
    for name in (*files, "null-cells.csv"):
        file = tmp_path / "history" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (line,) = [one for one in script_with("before=").splitlines() if one.startswith("before=")]
    assert carried_out(f'{line}\necho "$before"', here).stdout.strip() == f"../history/{before}"


@pytest.mark.parametrize("code", [0, 1])
def test_the_job_is_red_where_a_new_step_is_worse(tmp_path, code):
    assert carried_out(scripts()[-1], tmp_path, CODE=str(code)).returncode == code
