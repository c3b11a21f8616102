"""The contract of `apps/openapi.yaml`, held against a running app that has the data of `apps/seed.sql`:

    python -m pytest apps/checks --url http://127.0.0.1:8000
        [--scenarios hello,users-read] [--no-keep-alive] [--thorough]

What a check creates, it deletes. Only those marked `destructive` leave other data behind than they found
(`-m "not destructive"` leaves them out); they go last, and all that `--thorough` adds is among them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from contract import Api, Write

# Certificates are not what is checked, and reading them takes longer than many a check.
CLIENT = {"timeout": 10, "trust_env": False, "verify": False}
# A check with one of these marks is for an app that serves a scenario whose name begins alike.
PARTS = ("users", "posts", "session", "wait", "events")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract")
    group.addoption("--url", required=True, help="where the app answers: http://HOST:PORT")
    group.addoption("--scenarios", default=",".join(PARTS), help="what it serves, by comma; default: all")
    group.addoption("--tries", type=int, default=200, help="reads after a write that must show it")
    group.addoption("--no-keep-alive", action="store_true", help="its server closes every connection")
    group.addoption("--thorough", action="store_true", help="thousands of generated requests as well")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    generated = collection_path.name == "test_generated.py"
    return True if generated and not config.getoption("thorough") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    served = [scenario.strip() for scenario in config.getoption("scenarios").split(",")]
    missing = [part for part in PARTS if not any(scenario.startswith(part) for scenario in served)]
    missing += ["keep_alive"] * config.getoption("no_keep_alive")
    left_out = [item for item in items if any(item.get_closest_marker(part) for part in missing)]
    kept = [item for item in items if item not in left_out]
    items[:] = sorted(kept, key=lambda item: item.get_closest_marker("destructive") is not None)
    config.hook.pytest_deselected(items=left_out)


def pytest_make_parametrize_id(val: object) -> str:
    """Name a case by what it sends, shortened."""
    text = ascii(val) if isinstance(val, bytes) or not str(val).isprintable() else str(val)
    return text if len(text) <= 40 else f"{text[:40]}… ({len(text)})"


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> httpx.URL:
    return httpx.URL(request.config.getoption("url"))


@pytest.fixture(scope="session")
def client(url: httpx.URL) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, **CLIENT) as client:
        yield client


@pytest.fixture
def api(client: httpx.Client) -> Iterator[Api]:
    """The app, over connections that are kept."""
    api = Api(client)
    yield api
    api.clean_up()


@pytest.fixture
def strangers(url: httpx.URL) -> Iterator[Api]:
    """The app, over a new connection for every request: with several workers, sooner or later another one."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=url, **CLIENT, limits=limits) as client:
        yield Api(client)


@pytest.fixture(scope="session")
def tries(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("tries"))


@pytest.fixture
def visitor(url: httpx.URL) -> Iterator[Callable[[], Api]]:
    """Return what makes clients that keep their cookies, each its own."""
    with ExitStack() as opened:
        yield lambda: Api(opened.enter_context(httpx.Client(base_url=url, **CLIENT)))


@pytest.fixture(params=["POST", "PUT"])
def write(request: pytest.FixtureRequest, api: Api) -> Write:
    """Send a body to create a user or, as another check, to update a new one: the rules are the same."""
    if request.param == "POST":
        return partial(api.send, "POST", "/users")
    return lambda *body, **how: api.send("PUT", f"/users/{api.create()['id']}", *body, **how)
