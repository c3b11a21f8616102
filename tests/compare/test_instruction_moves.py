"""Where a head executes more instructions: profiles of both that are made up, and what is shown of them."""

from types import SimpleNamespace

import pytest

from bench.compare.explained_report import explained_document, explained_lines
from bench.compare.instruction_moves import InstructionMoves, instruction_moves
from bench.records import CountedWindow, Instructions
from bench.run.instruction_counts import profile_name
from tests.support.servers import HELLO_SCENARIO
from tests.support.synthetic import synthetic_run

PROFILE = """\
# callgrind format
version: 1
positions: line
events: Ir

ob=(1) /usr/lib/libpython3.11.so.1.0
fn=(10) _PyEval_EvalFrameDefault
1 {loop}

fn=(11) PyLong_Add
1 {add}

ob=(2) /usr/lib/x86_64-linux-gnu/libc.so.6
fn=(12) malloc
1 {malloc}

totals: {total}
"""
BASE, HEAD = synthetic_run({"flask@a": 1.0, "flask@b": 1.0}, rounds=1).contenders


def profile(loop, add, malloc):
    return PROFILE.format(loop=loop, add=add, malloc=malloc, total=loop + add + malloc)


def counted(before, after):
    """Return a counter whose window of 40 requests has these profiles."""

    def count(sides, scenario, lab, folder):
        for one, parts in zip(sides, (before, after), strict=True):
            name = profile_name(one.name, scenario.name)
            (folder / f"callgrind.out.{name}.1").write_text(profile(*parts))
            window = CountedWindow(usual=sum(parts) / 40, collections=0.0)
            yield Instructions(contender=one.name, scenario=scenario.name, windows={0: (window,)})

    return count


def moves(before, after):
    lab = SimpleNamespace()
    return instruction_moves("flask", (BASE, HEAD), HELLO_SCENARIO, lab, counted(before, after))


def test_what_grew_is_named_by_layer_and_function_per_request():
    found = moves((40_000, 0, 8_000), (44_000, 4_000, 8_000))
    assert (found.base, found.head) == pytest.approx((1_200, 1_400))
    assert next(iter(found.layers.items())) == ("interpreter", pytest.approx(200))
    assert found.layers["libc"] == pytest.approx(0)
    assert found.functions == pytest.approx(
        {
            "_PyEval_EvalFrameDefault (libpython3.11.so.1.0)": 100,
            "PyLong_Add (libpython3.11.so.1.0)": 100,
            "malloc (libc.so.6)": 0,
        }
    )
    (line,) = explained_lines([found])
    assert line == (
        "- flask, hello: where, by instructions of both: interpreter +200; in C functions "
        "`_PyEval_EvalFrameDefault (libpython3.11.so.1.0)` +100, `PyLong_Add (libpython3.11.so.1.0)` +100 "
        "(all: 1,200 → 1,400 instructions per request)"
    )
    (document,) = explained_document([found])
    assert document["instructions"]["layers"] == {"interpreter": 200}


def test_a_side_that_could_not_be_counted_is_named():
    def uncounted(sides, scenario, lab, folder):
        return [Instructions(contender=one.name, scenario="hello", why="no valgrind") for one in sides]

    found = instruction_moves("flask", (BASE, HEAD), HELLO_SCENARIO, SimpleNamespace(), uncounted)
    assert found == InstructionMoves(contender="flask", of="hello", why="no valgrind")
    assert [*explained_lines([found])] == [
        "- flask, hello: instructions by function are not known: no valgrind"
    ]
