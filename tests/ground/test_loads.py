import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from bench.errors import UsageError
from bench.files import read_json, read_toml, to_json
from bench.loads import KINDS, Closed, Load, Open
from bench.model.cell import Cell
from bench.project.plans import WrittenLoad
from bench.report.load_kinds import SHOWN


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
            Closed(connections=32),
            "32 connections",
            "32",
        ),
        ({"kind": "closed", "connections": 1}, Closed(connections=1), "1 connection", "1"),
        (
            {"kind": "open", "rate": 2000},
            Open(connections=256, rate=2000, arrivals="poisson"),
            "2,000 requests/s",
            "open-2000",
        ),
        (
            {"kind": "open", "rate": 0.5, "arrivals": "uniform", "connections": 8},
            Open(connections=8, rate=0.5, arrivals="uniform"),
            "0.5 requests/s, evenly spaced",
            "open-0.5-uniform-c8",
        ),
        (
            {"kind": "open", "fraction": 0.5},
            Open(connections=256, fraction=0.5, arrivals="poisson"),
            "50 % of its capacity",
            "open-50pc",
        ),
        (
            {"kind": "open", "fraction": 0.8, "of": "slowest"},
            Open(connections=256, fraction=0.8, of="slowest", arrivals="poisson"),
            "80 % of the slowest one's capacity",
            "open-80pc-slowest",
        ),
    ],
)
def test_a_load_is_read_and_named(tmp_path, form, load, words, name):
    assert read(tmp_path, form) == load
    assert load.title == words
    assert load.slug == name


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


@pytest.mark.parametrize("load", [Closed(connections=4), Open(rate=5.0), Open(fraction=0.5, of="slowest")])
def test_a_load_of_a_run_has_the_keys_of_schema_1_and_is_read_again(tmp_path, load):
    cell = Cell(contender="flask", scenario="hello", load=load)
    (tmp_path / "cell.json").write_bytes(to_json(cell))
    written = json.loads((tmp_path / "cell.json").read_text())["load"]
    assert list(written) == ["kind", "connections", "rate", "fraction", "of", "arrivals"]
    assert {key: value for key, value in written.items() if value is not None} == {
        key: value for key, value in asdict(load).items() if value is not None
    }
    assert read_json(tmp_path / "cell.json", Cell) == cell


def test_a_damaged_load_of_a_run_is_told_by_its_keys(tmp_path):
    load = '{"kind":"closed","connections":0}'
    (tmp_path / "cell.json").write_text(f'{{"contender":"flask","scenario":"hello","load":{load}}}')
    with pytest.raises(UsageError, match=r": load\.connections: at least 1$"):
        read_json(tmp_path / "cell.json", Cell)


def test_every_kind_is_known_to_what_reads_and_what_shows_loads():
    kinds = set(get_args(get_args(Load)[0]))
    assert kinds == set(KINDS.values()) == set(SHOWN)
    for name, kind in KINDS.items():
        assert get_args(get_type_hints(kind)["kind"]) == (name,)


def test_every_kind_has_a_loop():
    # In a process of its own, because Locust patches the process that imports it.
    words = "from bench.load.child.generator import LOOPS; print(*(kind.__name__ for kind in LOOPS))"
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout
    assert set(told.split()) == {kind.__name__ for kind in KINDS.values()}
