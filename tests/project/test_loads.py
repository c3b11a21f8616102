import pytest

from bench.errors import UsageError
from bench.model import Load
from bench.project.loads import read_load, slug, spoken


@pytest.mark.parametrize(
    ("form", "load", "words", "name"),
    [
        (
            {"kind": "closed", "connections": 32},
            Load(kind="closed", connections=32),
            "32 connections",
            "32",
        ),
        ({"kind": "closed", "connections": 1}, Load(kind="closed", connections=1), "1 connection", "1"),
        (
            {"kind": "open", "rate": 2000},
            Load(kind="open", connections=256, rate=2000, arrivals="poisson"),
            "2,000 requests/s",
            "open-2000",
        ),
        (
            {"kind": "open", "rate": 0.5, "arrivals": "uniform", "connections": 8},
            Load(kind="open", connections=8, rate=0.5, arrivals="uniform"),
            "0.5 requests/s, evenly spaced",
            "open-0.5-uniform-c8",
        ),
        (
            {"kind": "open", "fraction": 0.5},
            Load(kind="open", connections=256, fraction=0.5, arrivals="poisson"),
            "50 % of its capacity",
            "open-50pc",
        ),
        (
            {"kind": "open", "fraction": 0.8, "of": "slowest"},
            Load(kind="open", connections=256, fraction=0.8, of="slowest", arrivals="poisson"),
            "80 % of the slowest one's capacity",
            "open-80pc-slowest",
        ),
    ],
)
def test_a_load_is_read_and_named(form, load, words, name):
    assert read_load("here", form) == load
    assert spoken(load) == words
    assert slug(load) == name


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"kind": "opened"}, 'here: kind \'opened\' is unknown; there is "closed" and "open"'),
        ({"kind": "closed"}, "here: a closed load needs connections"),
        ({"kind": "closed", "connections": 0}, "here: connections: at least 1"),
        ({"kind": "closed", "connections": 2, "rate": 5}, "here: rate belongs to an open load"),
        ({"kind": "open"}, "here: an open load needs rate .requests per second. or fraction .of capacity."),
        ({"kind": "open", "rate": 5, "fraction": 0.5}, "here: an open load needs rate"),
        ({"kind": "open", "rate": 0}, "here: rate: must be more than 0"),
        ({"kind": "open", "fraction": -0.5}, "here: fraction: must be more than 0"),
        ({"kind": "open", "fraction": 0.5, "of": "fastest"}, 'here: of: a fraction may be of = "slowest"'),
        ({"kind": "open", "rate": 5, "of": "slowest"}, 'here: of: a fraction may be of = "slowest"'),
        ({"kind": "open", "rate": 5, "arrivals": "bursts"}, "here: arrivals 'bursts' is unknown"),
        ({"kind": "open", "rate": 5, "connections": 0}, "here: connections: at least 1"),
    ],
)
def test_a_mistake_in_a_load_is_told(form, words):
    with pytest.raises(UsageError, match=words):
        read_load("here", form)
