"""The JSON schema for editors follows from the types, and agrees with what is read."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from bench.project.schema import schema
from tests.support.projects import CONTENDERS, SCENARIOS

ROOT = Path(__file__).parents[2]
CHECKED = Draft202012Validator(schema())


def test_the_file_in_docs_is_what_the_program_prints():
    written = json.loads((ROOT / "docs" / "bench.schema.json").read_text())
    assert written == json.loads(json.dumps(schema())), "bench list --schema > docs/bench.schema.json"


def test_it_is_a_schema_that_knows_our_scenarios_and_the_examples_of_the_page():
    Draft202012Validator.check_schema(schema())
    page = (ROOT / "docs" / "scenarios.md").read_text()
    examples = [block.partition("```")[0] for block in page.split("```toml\n")[1:]]
    assert len(examples) >= 3
    for text in ((ROOT / "apps" / "scenarios.toml").read_text(), SCENARIOS, *examples):
        CHECKED.validate(tomllib.loads(text))
    CHECKED.validate({"contenders": tomllib.loads(CONTENDERS)})


@pytest.mark.parametrize(
    "wrong",
    [
        '[exchanges.x]\nrequest = "GET /"\nexpct = {}',
        "[exchanges.x]\nform = {}",
        '[exchanges.x]\nrequest = "GET /"\nfields = { a = { hex = "8" } }',
        "[scenarios.x]\nmix = { a = -1 }",
        "[scenarios.x]\nmix = { a = 1 }\ncookies = 1",
        "[contenders.x]\ncomand = 1",
        "sources = []",
    ],
)
def test_a_mistake_is_one_for_an_editor_too(wrong):
    assert not CHECKED.is_valid(tomllib.loads(wrong))
