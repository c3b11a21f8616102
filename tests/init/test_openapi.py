import json
import re

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.init import openapi, source
from bench.init.pattern_texts import matching


def document(parameters=(), *, schemas=None, **get):
    """Return a document with one GET of *parameters*."""
    operation = {"parameters": list(parameters), "responses": {"200": {}}, **get}
    return {
        "openapi": "3.1.0",
        "info": {"title": "T"},
        "paths": {"/x": {"get": operation}},
        "components": {"schemas": schemas or {}},
    }


def query(**schema):
    return {"name": "v", "in": "query", "required": True, "schema": schema}


def draft(*parameters, **more):
    return openapi.proposal(document(parameters, **more), "api.json").drafts[0]


@pytest.mark.parametrize(
    ("schema", "request_", "fields"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 9}, "{v}", {"integer": [3, 9]}),
        ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 9}, "{v}", {"integer": [4, 8]}),
        ({"type": "number", "minimum": 3, "exclusiveMinimum": True, "maximum": 4}, "4", None),
        ({"type": "number", "minimum": 0.5, "maximum": 2.5}, "{v}", {"integer": [1, 2]}),
        ({"type": "integer", "maximum": 2**62}, "{v}", {"integer": [1, 100]}),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, "10", None),
        ({"type": ["integer", "null"], "minimum": 5, "maximum": 5}, "5", None),
        ({"type": "string", "enum": ["a", "b", None]}, "{v}", {"values": ["a", "b"]}),
        ({"type": "string", "enum": ["a b/c"]}, "a%20b%2Fc", None),
        ({"type": "string", "default": "{n}"}, "%7Bn%7D", None),
        ({"type": "string", "maxLength": 4}, "{v}", {"letters": 4}),
        ({"type": "string", "format": "date-time"}, "2026-01-15T12%3A00%3A00Z", None),
        ({"type": "string", "format": "uuid"}, "{v}", {"uuid": True}),
        ({"type": "array", "items": {"type": "boolean"}}, "true", None),
        ({"allOf": [{"type": "integer"}, {"minimum": 2, "maximum": 4}]}, "{v}", {"integer": [2, 4]}),
        ({"oneOf": [{"type": "null"}, {"const": 8}]}, "8", None),
        ({"examples": [3, 4], "type": "integer"}, "{v}", {"values": [3, 4]}),
        (True, "{v}", {"letters": 8}),
    ],
)
def test_a_parameter_has_a_value_that_its_schema_allows(schema, request_, fields):
    found = draft({**query(), "schema": schema})
    assert found.request == f"GET /x?v={request_}"
    assert found.fields == ({"v": fields} if fields else {})
    assert not found.lacks


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "object"}, "v: a parameter of type object without an example: write a value"),
        ({"type": "string", "pattern": "(?i)x|y"}, "v: nothing was found for its pattern"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "v: no whole number from 5 to 4"),
        ({"$ref": "#/components/schemas/Loop"}, "v: its schema contains itself"),
        ({"example": {"a": 1}}, "v: its example is a list or an object"),
    ],
)
def test_an_exchange_without_a_value_is_a_comment_with_the_reason(schema, why):
    loop = {"anyOf": [{"$ref": "#/components/schemas/Loop"}]}
    found = draft({**query(), "schema": schema}, schemas={"Loop": loop})
    assert why in found.lacks


def test_only_what_is_required_is_sent_and_the_first_success_is_expected():
    optional = {"name": "o", "in": "query", "schema": {"type": "integer"}}
    found = draft(optional, responses={"404": {}, "206": {}, "203": {}, "default": {}})
    assert (found.request, found.status) == ("GET /x", 203)


def test_an_operation_that_needs_a_credential_is_a_comment_with_a_placeholder():
    content = document(security=[{"key": []}])
    content["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    found = openapi.proposal(content, "api.json").drafts[0]
    assert found.headers == {"X-Key": "CHANGE-ME"}
    assert found.lacks == "it needs key: put a credential in place of CHANGE-ME"
    content["paths"]["/x"]["get"]["security"].append({})
    assert not openapi.proposal(content, "api.json").drafts[0].lacks


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"openapi": None}, "OpenAPI None is not read: give a document of 3.0 or 3.1"),
        ({"swagger": "2.0"}, r"Swagger 2.0 is not read: convert it"),
        ({"paths": {"/x": {"$ref": "#/paths/~1y"}}}, r"paths./x: \$ref #/paths/~1y leads nowhere: mend"),
        ({"paths": {"/x": {"$ref": "other.yaml"}}}, "leads out of the document: bundle it"),
        ({"paths": {"/x": {"$ref": "#/paths/~1x"}}}, r"its \$ref lead in a circle: mend"),
        ({"paths": {"/x": []}}, "paths./x: it must be an object: mend"),
        ({"paths": {"x": {}}}, "paths.x: a path begins with a slash"),
        ({"paths": {"/x/{id}": {"get": {}}}}, r"\{id\} is no parameter of it: mend"),
        ({"paths": {"/x": {"get": {"parameters": [{"in": "query"}]}}}}, "a parameter needs a name, and in ="),
        ({"paths": {"/x": {"post": {}}}}, "it has no GET: write exchanges by hand"),
        (
            {"paths": {f"/{n}": {"get": {}} for n in range(1001)}},
            "1,001 operations, 1,000 at most: leave",
        ),
        ({"security": [{"k": []}]}, "k is none of components.securitySchemes"),
    ],
)
def test_a_wrong_document_is_refused_in_one_line_with_a_remedy(change, words):
    with pytest.raises(UsageError, match=rf"^api.json: .*{words}") as refused:
        openapi.proposal({**document(), **change}, "api.json")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "Expecting property name"),
        ('{"a": 1}\n{"a": 2}', "it has one JSON value for each line"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ("openapi: [", "it is no YAML"),
        ("- a\n", "it is no object"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_refused_with_what_can(tmp_path, content, words):
    file = tmp_path / "api.yaml"
    file.write_text(content)
    with pytest.raises(UsageError, match=f"{words}.*: give an OpenAPI document") as refused:
        source.proposal(str(file))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "pattern", [r"^[A-Z]{3}-\d{4}$", r"\w+\.\w{2,4}", "^v[0-9]$", "^#[a-f0-9]{6}$", "^a*b?c+$", "^.{5}$"]
)
def test_a_simple_pattern_has_a_text_that_matches(pattern):
    assert re.search(pattern, matching(pattern))


def test_the_length_of_a_text_is_kept_beside_its_pattern():
    assert matching("^[a-z]+$", 5, 8) == "aaaaa"
    assert matching("^[a-z]{3}$", 5, 8) is None


def test_the_document_of_a_running_app_is_read(serving):
    serving.answer("/openapi.json", json.dumps(document()).encode())
    proposal = source.proposal(f"{serving.url}/openapi.json")
    assert [one.request for one in proposal.drafts] == ["GET /x"]
    with pytest.raises(UsageError, match="/docs: status 404, no OpenAPI document: write it as http://"):
        source.proposal(f"{serving.url}/docs")


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("http://example.com/openapi.json", UsageError, "it must run on this machine"),
        ("https://127.0.0.1/openapi.json", UsageError, "without TLS"),
        ("http://127.0.0.1:99999/", UsageError, "write it as http://127.0.0.1:8000/openapi.json"),
        ("http://127.0.0.1:1/openapi.json", CannotMeasure, "start the app first"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_with_a_remedy(url, error, words):
    with pytest.raises(error, match=words):
        source.proposal(url)
