"""Each kind of source, from a sample as people have it to the file of scenarios."""

from pathlib import Path

import pytest

from bench.init import source
from bench.init.scenarios_file import table, written
from bench.project import scenarios

SAMPLES = Path(__file__).parent / "samples"
NAMES = ("shop.yaml", "fastapi.json", "shop.har", "nginx.log", "gunicorn.log", "uvicorn.log", "locustfile.py")


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_becomes_the_file_beside_it(name, monkeypatch):
    monkeypatch.chdir(SAMPLES)  # a locustfile is named from there on
    assert written(source.proposal(name)) == (SAMPLES / f"{name}.toml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(name):
    proposal = source.proposal(str(SAMPLES / name))
    read = scenarios.read(SAMPLES, SAMPLES / f"{name}.toml")["mix"]
    for exchange, draft in zip(read.exchanges, proposal.mixed, strict=True):
        assert (exchange.name, f"{exchange.method} {exchange.path}") == (draft.name, draft.request)
        assert (exchange.expect.status, exchange.save, exchange.form) == (
            draft.status,
            draft.save,
            draft.form,
        )
        assert {one: plain(drawn) for one, drawn in exchange.fields.items()} == draft.fields


def plain(field):
    return {key: list(one) if isinstance(one, tuple) else one for key, one in field.items()}


MIXES = {
    "shop.har": {"api-users-id": 4, "post-api-login": 1, "home": 1, "put-api-users-id": 1},
    "nginx.log": {"users-id": 4, "search": 2, "home": 1, "old": 1, "reset-change-me": 1},
    "gunicorn.log": {"posts-hello": 2, "home": 1},
    "uvicorn.log": {"items-id": 2, "items-id-2": 1},
}


@pytest.mark.parametrize("name", MIXES)
def test_the_mix_has_the_frequencies_of_its_source(name):
    mix = scenarios.read(SAMPLES, SAMPLES / f"{name}.toml")["mix"]
    weights = dict(zip((one.name for one in mix.exchanges), mix.weights, strict=True))
    assert {one: weights[one] for one in MIXES[name]} == MIXES[name]


def test_the_table_shows_the_shares_of_the_source_beside_those_of_the_mix():
    lines = list(table(source.proposal(str(SAMPLES / "nginx.log"))))
    assert lines[0].split() == ["exchange", "requests", "of", "all", "of", "these", "in", "the", "mix"]
    assert lines[1].split() == ["users-id", "4", "28.6%", "44.4%", "44.4%"]
    assert "the mix has 64.3% of 14 requests" in lines[6]
    assert "left out: POST /cart, which may write: 2" in lines
    assert "lines that are no request: 1 of 15" in lines
