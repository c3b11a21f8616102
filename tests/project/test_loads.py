from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.files import read_toml
from bench.model import Load
from bench.project.loads import WrittenLoad, slug, spoken


@dataclass
class File:
    load: WrittenLoad


def read(folder: Path, written: dict[str, object]) -> Load:
    """Return the load that is *written* in a file of *folder*."""
    lines = (f"{key} = {value!r}" for key, value in written.items())
    (folder / "load.toml").write_text("\n".join(["[load]", *lines]))
    return read_toml(folder / "load.toml", File).load


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
def test_a_load_is_read_and_named(tmp_path, form, load, words, name):
    assert read(tmp_path, form) == load
    assert spoken(load) == words
    assert slug(load) == name


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"kind": "opened"}, "load.kind: 'opened' is unknown; did you mean open"),
        ({"kind": "closed"}, "load.connections: Field required"),
        ({"kind": "closed", "connections": 0}, "load.connections: at least 1"),
        ({"kind": "closed", "connections": 2, "rate": 5}, "load.rate: belongs to an open load"),
        ({"kind": "open"}, "load: an open load needs rate .requests per second. or fraction .of capacity."),
        ({"kind": "open", "rate": 5, "fraction": 0.5}, "load: an open load needs rate"),
        ({"kind": "open", "rate": 0}, "load.rate: must be more than 0"),
        ({"kind": "open", "fraction": -0.5}, "load.fraction: must be more than 0"),
        (
            {"kind": "open", "fraction": 0.5, "of": "fastest"},
            "load.of: 'fastest' is unknown; there is slowest",
        ),
        ({"kind": "open", "rate": 5, "of": "slowest"}, 'load.of: a fraction may be of = "slowest"'),
        (
            {"kind": "open", "rate": 5, "arrivals": "bursts"},
            "load.arrivals: 'bursts' is unknown; there is poisson, uniform",
        ),
        ({"kind": "open", "rate": 5, "connections": 0}, "load.connections: at least 1"),
    ],
)
def test_a_mistake_in_a_load_is_told(tmp_path, form, words):
    with pytest.raises(UsageError, match=rf"load\.toml: {words}"):
        read(tmp_path, form)
