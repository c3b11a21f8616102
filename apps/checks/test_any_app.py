"""What every app answers, however little it serves."""

import pytest
from contract import Api


@pytest.mark.parametrize("path", ["/", "/?unknown=1"])
def test_hello_greets(api: Api, path: str):
    api.get(path).expect(200, body={"message": "Hello, World!"})


def test_health_is_well(api: Api):
    api.get("/health").expect(200)


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing/", "/health/", "/Health", "/health/1", "/index.html", "/%00", "/%ff", "/é"]
)
def test_an_unknown_path_is_404(api: Api, path: str):
    api.get(path).expect(404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/health"])
def test_a_wrong_method_is_405(api: Api, method: str, path: str):
    api.send(method, path).expect(405)
