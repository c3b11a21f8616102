"""Contenders without a practice answer what those with it answer, and ask the database for more."""

from itertools import product
from pathlib import Path

import pytest

from bench import contenders
from bench.errors import UsageError
from bench.runtime.placement import placed
from bench.runtime.process import ProcessRuntime
from bench.verification import verify

ROOT = Path(__file__).parents[1]
BASES = ("django", "django-drf", "flask", "fastapi", "fastapi-def")
SWITCHES = ("pool", "eager", "batch", "index", "orm")
OFF = [
    f"{base}:{switch}=off"
    for base, switch in product(BASES, SWITCHES)
    if switch != "orm" or base not in ("django-drf", "fastapi-def")  # they are other views themselves
]
TABLES = contenders.declared(ROOT)


@pytest.mark.parametrize("base", ["django", "flask", "fastapi"])
def test_every_framework_has_the_same_switches(base):
    assert tuple(TABLES[base].overlay["switch"])[: len(SWITCHES)] == SWITCHES


def test_a_switch_is_one_difference():
    for name in OFF:
        on, off = contenders.resolve(name.partition(":")[0], TABLES), contenders.resolve(name, TABLES)
        assert (on.command, on.stack, on.services) == (off.command, off.stack, off.services)
        assert len(off.env.items() - on.env.items()) + len(off.sql) - len(on.sql) == 1


@pytest.mark.parametrize("name", ["django-drf:orm=off", "fastapi-def:orm=off", "fastapi-def:async=off"])
def test_a_switch_that_would_make_another_contender_is_refused(name):
    with pytest.raises(UsageError, match="is unknown"):
        contenders.resolve(name, TABLES)


@pytest.mark.slow
def test_what_is_answered_does_not_depend_on_a_switch(tmp_path):
    """All that can be off at once is: what is wrong alone is wrong among others."""
    switches = {
        base: ",".join(name.partition(":")[2] for name in OFF if name.partition(":")[0] == base)
        for base in BASES
    }
    together = (f"{base}:{off}" for base, off in switches.items())
    others = ("django:middleware=stock", "django:async=on", "fastapi:async=off")
    asked = [contenders.resolve(name, TABLES) for name in (*together, *others)]
    with ProcessRuntime(
        project=ROOT, placement=placed(None), scratch=tmp_path / "scratch", logs=tmp_path / "logs"
    ) as runtime:
        runtime.prepare(asked)
        found = {one.contender: one.differences for one in verify(asked, runtime, tmp_path / "memory")}
    assert found == {one.name: () for one in asked}
