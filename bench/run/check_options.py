"""A pytest plugin for `apps/checks`: the command-line options of the checks, and the fixture `url`.

A conftest.py beside the checks may define the same options; its own definitions stay.
`bench.run.verification` loads this file in a separate process.
"""

from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> Iterator[None]:
    yield
    known = vars(parser.parse_known_args(args))
    group = parser.getgroup("bench", "started by bench")
    if "url" not in known:
        group.addoption("--url", help="where the server answers: http://HOST:PORT")
    if "scenarios" not in known:
        group.addoption("--scenarios", default="", help="what it serves, by comma; empty: all")
    if "no_keep_alive" not in known:
        group.addoption("--no-keep-alive", action="store_true", help="its server closes every connection")
    if "thorough" not in known:
        group.addoption("--thorough", action="store_true", help="generated requests as well")


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> str:
    """Return the server's URL, `http://HOST:PORT`, without a slash at the end."""
    return str(request.config.getoption("url"))
