"""Callgrind's output files: by hand with known sums, and one that valgrind writes here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import CannotMeasure
from bench.profile.callgrind_profile import by_function, by_layer, costs, object_layer, read_costs
from bench.profile.layers import declared

LIBPYTHON = "/usr/lib/libpython3.11.so.1.0"
CORE = "/venv/lib/python3.11/site-packages/pydantic_core/_pydantic_core.cpython-311-x86_64-linux-gnu.so"
LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6"
FIRST = f"""# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 7
cmd:  python app.py
part: 1

desc: Trigger: Program termination

positions: line
events: Ir
summary: 1100

ob=(1) {LIBPYTHON}
fl=(1) Python/ceval.c
fn=(1) _PyEval_EvalFrameDefault
16 400
+3 20
fi=(2) Include/object.h
-2 5
fe=(1)
* 5
cob=(2) {CORE}
cfi=(3) validator.rs
cfn=(2) validate
calls=3 50
* 350
cfn=(3) _PyEval_EvalFrameDefault'2
calls=1 10
+4 100000

fn=(3)
90 100

ob=(2)
fl=(3)
fn=(2)
50 300
cob=(3) {LIBC}
cfi=(4) malloc.c
cfn=(4) malloc
calls=2 7
+1 50

ob=(3)
fl=(4)
fn=(4)
7 50

ob=(1)
fl=(1)
fn=(1)
* 220

totals: 1100
"""
# Another thread: the names of the part before it hold. Addresses come first, and instructions are the second.
SECOND = """
part: 2
thread: 2
positions: instr line
events: Dr Ir
summary: 3 60

ob=(2)
fl=(3)
fn=(2)
0x401000 50 1 40
+4 * 2 15
jump=2 +8 *
+4 *
fn=(9) unheard of
* +1 9
* +1 0 5

totals: 12 60
"""
EVAL, VALIDATE = "_PyEval_EvalFrameDefault", "validate"


def test_a_call_is_no_cost_of_the_caller_and_a_name_is_said_once():
    assert costs(FIRST) == {
        (LIBPYTHON, EVAL): 400 + 20 + 5 + 5 + 100 + 220,
        (CORE, VALIDATE): 300,
        (LIBC, "malloc"): 50,
    }


def test_parts_of_a_file_are_added_whatever_their_columns():
    found = costs(FIRST + SECOND)
    assert (found[CORE, VALIDATE], found[CORE, "unheard of"]) == (300 + 40 + 15, 5)
    assert sum(found.values()) == 1100 + 60


def test_files_of_several_processes_are_one(tmp_path):
    files = [tmp_path / "7.1", tmp_path / "8.1"]
    for file in files:
        file.write_text(FIRST)
    found = read_costs(files)
    assert next(iter(found.items())) == ((LIBPYTHON, EVAL), 1500)
    assert found[CORE, VALIDATE] == 600


@pytest.mark.parametrize(
    "text",
    [FIRST.replace("* 220", "* 221"), FIRST.replace("\ntotals: 1100", ""), FIRST.partition("ob=(2)\nfl")[0]],
)
def test_a_file_that_does_not_add_up_is_refused(text, tmp_path):
    file = tmp_path / "7.1"
    file.write_text(text)
    with pytest.raises(CannotMeasure, match=r"^7\.1 does not add up: "):
        read_costs([file])


def test_a_file_without_instructions_is_refused():
    with pytest.raises(CannotMeasure, match="counts no instructions, but Dr, Dw"):
        costs(FIRST.replace("events: Ir", "events: Dr Dw"))


FILES = {
    "sqlalchemy": "orm",
    "asyncio": "server",
    "pydantic": "validation",
    "json": "validation",
    "./": "handler",
}
SITE = "/venv/lib/python3.11/site-packages"
DYNLOAD = "/py/lib/python3.11/lib-dynload"


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        (LIBPYTHON, "interpreter"),
        ("/root/.pyenv/versions/3.13.0/bin/python3.13", "interpreter"),
        (f"{DYNLOAD}/_datetime.cpython-311-x86_64-linux-gnu.so", "interpreter"),
        (f"{DYNLOAD}/_json.cpython-311-x86_64-linux-gnu.so", "json"),
        (f"{DYNLOAD}/_sqlite3.cpython-311-x86_64-linux-gnu.so", "driver"),
        (f"{DYNLOAD}/_asyncio.cpython-311-x86_64-linux-gnu.so", "server"),
        (f"{SITE}/orjson/orjson.cpython-311-x86_64-linux-gnu.so", "json"),
        (CORE, "validation"),
        (f"{SITE}/sqlalchemy/cyextension/util.cpython-311-x86_64-linux-gnu.so", "orm"),
        (f"{SITE}/asyncpg/protocol/protocol.cpython-311-x86_64-linux-gnu.so", "driver"),
        (f"{SITE}/psycopg_binary.libs/libpq-9b38f5e3.so.5.17", "driver"),
        (f"{SITE}/granian/_granian.cpython-311-x86_64-linux-gnu.so", "server"),
        (f"{SITE}/python3/_speed.abi3.so", "packages"),
        (f"{SITE}/_cffi_backend.cpython-311-x86_64-linux-gnu.so", "packages"),
        ("/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "packages"),
        ("/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6", "driver"),
        (LIBC, "libc"),
        ("/usr/lib/x86_64-linux-gnu/libm.so.6", "libc"),
        ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "libc"),
        ("/lib/ld-musl-x86_64.so.1", "libc"),
        ("/usr/lib/x86_64-linux-gnu/libmpdec.so.3", "packages"),
        ("/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", "unknown"),
        ("???", "unknown"),
    ],
)
def test_an_object_file_has_a_layer(file, layer):
    assert object_layer(file, FILES) == layer


def test_what_the_app_declares_comes_before_what_is_usual():
    assert object_layer(f"{SITE}/asyncpg/record.so", {"asyncpg": "orm"}) == "orm"
    assert (
        object_layer(f"{SITE}/asyncpg/record.so", {"asyncpg": "handler"}) == "packages"
    )  # no C is a handler


@pytest.mark.parametrize("app", ["flask_app", "fastapi_app", "django_app"])
def test_our_apps_name_their_drivers(app):
    files = declared(Path("apps") / app)
    assert object_layer(f"{SITE}/psycopg_binary/pq.cpython-311-x86_64-linux-gnu.so", files) == "driver"


def test_layers_and_functions_have_all_instructions():
    found = costs(FIRST)
    layers = by_layer(found, {})
    assert {name: count for name, count in layers.items() if count} == {
        "interpreter": 750,
        "validation": 300,
        "libc": 50,
    }
    assert list(by_function(found, 2).items()) == [
        (f"{EVAL} (libpython3.11.so.1.0)", 750),
        (f"{VALIDATE} (_pydantic_core.cpython-311-x86_64-linux-gnu.so)", 300),
    ]


def test_what_valgrind_writes_adds_up_and_shows_where_json_is(tmp_path):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    python, file = Path(sys.executable).resolve(), tmp_path / "out"
    program = "import json; [json.dumps(list(range(9000))) for _ in range(9)]"
    command = [
        "valgrind",
        "--tool=callgrind",
        "-q",
        f"--callgrind-out-file={file}",
        python,
        "-S",
        "-c",
        program,
    ]
    subprocess.run(command, check=True)
    found = read_costs([file])
    layers = by_layer(found, {})
    assert sum(layers.values()) == sum(found.values()) > 10_000_000
    assert layers["interpreter"] > layers["libc"] > 0
    assert [where for where in found if where[1] == EVAL]
