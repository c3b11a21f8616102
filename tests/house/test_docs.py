"""What the documents promise is there."""

import re
import subprocess
from pathlib import Path

import pytest
from click import Context

from bench.cli import COMMANDS, commands

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "apps" / "README.md",
    *ROOT.glob("docs/**/*.md"),
]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(name):
    assert f"bench {name}" in (ROOT / "README.md").read_text()
    assert commands.get_command(Context(commands), name).help


def test_every_plan_is_in_the_readme():
    text = (ROOT / "README.md").read_text()
    for plan in ROOT.glob("plans/*.toml"):
        assert f"PLAN={plan.stem}" in text


def headings(document):
    titles = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(
        r"^(?!    ).*\]\((?!https?:)([^)#]+)[^)]*\)", document.read_text(), re.MULTILINE
    ):
        assert (document.parent / target).exists(), target


def test_make_help_lists_every_target():
    command = ["make", "--no-print-directory", "help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert [line.split()[0] for line in told.splitlines()] == [name for name in targets if name in told]
    assert set(targets) == {line.split()[0] for line in told.splitlines()}
