"""What FastAPI says of its own app, held against the contract: `/docs` must not tell another story."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from bench.project import contenders
from bench.runtime.environments import environment

ROOT = Path(__file__).parents[2]
CONTRACT = yaml.safe_load((ROOT / "apps" / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")
TELL = "import json, app; print(json.dumps(app.app.openapi()))"
BOUNDS = ("type", "minimum", "maximum", "default", "minLength", "maxLength", "minItems", "maxItems")


@pytest.fixture(scope="module")
def told():
    """The document that FastAPI makes up; nothing is served and no database is asked for that."""
    fastapi = contenders.resolve("fastapi", contenders.declared(ROOT))
    python = environment(fastapi, ROOT / ".venvs").programs / "python"
    done = subprocess.run(
        [python, "-c", TELL],
        cwd=ROOT / "apps" / fastapi.app,
        env={"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def operations(document):
    """Return operation by (method, path), without `$ref`s, with the parameters of its path."""
    found = {}
    for path, item in resolved(document["paths"], document).items():
        for method in METHODS:
            if method in item:
                parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                found[method, path] = {**item[method], "parameters": parameters}
    return found


def resolved(node, document):
    if isinstance(node, list):
        return [resolved(one, document) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = document
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        return resolved(target, document)
    return {key: resolved(one, document) for key, one in node.items()}


def rules(schema):
    """Return what is asked of a value: bounds, the members of arrays, the fields of objects."""
    alternatives = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if alternatives:  # how pydantic says that something may be left out
        return rules(alternatives[0])
    found = {key: schema[key] for key in BOUNDS if key in schema}
    if "items" in schema:
        found["items"] = rules(schema["items"])
    if "properties" in schema:
        found["required"] = sorted(schema.get("required", ()))
        found["properties"] = {name: rules(one) for name, one in schema["properties"].items()}
    return found


def query(operation):
    return {
        one["name"]: (one.get("required", False), rules(one["schema"]))
        for one in operation["parameters"]
        if one["in"] == "query"
    }


def body(operation):
    asked = operation.get("requestBody")
    return asked and (
        asked["required"],
        {kind: rules(one["schema"]) for kind, one in asked["content"].items()},
    )


def successes(operation):
    return {
        status: sorted(answer.get("content", ()))
        for status, answer in operation["responses"].items()
        if status < "400"
    }


def fields(operation):
    """Return the names of what a success holds."""
    answers = [answer for status, answer in operation["responses"].items() if status < "400"]
    return [names(one["schema"]) for answer in answers for one in answer.get("content", {}).values()]


def names(schema):
    found = {name: names(one) for name, one in schema.get("properties", {}).items()}
    parts = [*([schema["items"]] if "items" in schema else []), *schema.get("anyOf", ())]
    return {name: one for part in map(names, parts) for name, one in part.items()} | found


def refusals(operation):
    return {status for status in operation["responses"] if status >= "400"}


OURS = operations(CONTRACT)
UNTYPED = {("get", "/")}  # a response model would cost hello a validation


def test_there_are_the_same_operations_under_the_same_names(told):
    ids = {where: one["operationId"] for where, one in operations(told).items()}
    assert ids == {where: one["operationId"] for where, one in OURS.items()}


@pytest.mark.parametrize("where", OURS, ids=" ".join)
@pytest.mark.parametrize("part", [query, body, successes])
def test_an_operation_asks_and_answers_alike(told, where, part):
    assert part(operations(told)[where]) == part(OURS[where])


@pytest.mark.parametrize("where", [where for where in OURS if where not in UNTYPED], ids=" ".join)
def test_an_answer_has_the_same_fields(told, where):
    assert fields(operations(told)[where]) == fields(OURS[where])


@pytest.mark.parametrize("where", OURS, ids=" ".join)
def test_every_refusal_of_the_contract_is_documented(told, where):
    """FastAPI adds a 422 of its own wherever there is a parameter."""
    assert refusals(operations(told)[where]) >= refusals(OURS[where])
