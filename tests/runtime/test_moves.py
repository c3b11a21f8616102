"""Known answers: what an upgrade moved, of the lines of two locks."""

import pytest

from bench.runtime.packages.foreign_locks import Wanted
from bench.runtime.packages.moves import moves, pins
from bench.runtime.packages.required import loosened, with_requested
from tests.runtime.test_upgrading import requirements

BEFORE = """
--find-links ./wheels
Django==5.2.1 --hash=sha256:00
asgiref==3.9.0 --hash=sha256:01
async-timeout==5.0 ; python_full_version < '3.12' --hash=sha256:02
numpy==1.26 ; python_version < '3.12' --hash=sha256:03
numpy==2.3 ; python_version >= '3.12' --hash=sha256:04
sqlparse>=0.5
-e ./libs/common
pytz==2025.1
"""
AFTER = """
asgiref==3.10.0
django==6.1.3
numpy==2.3
tzdata==2026.1
"""


def test_what_moved_appeared_and_went_is_listed_by_name():
    old = pins(BEFORE.splitlines(), Wanted(where="the lock", python="3.11.7"))
    new = pins(AFTER.splitlines(), Wanted(where="the lock", python="3.13.0"))
    assert [str(one) for one in moves(old, new)] == [
        "asgiref 3.9.0 → 3.10.0",
        "async-timeout 5.0 → none",
        "django 5.2.1 → 6.1.3",
        "numpy 1.26 → 2.3",
        "pytz 2025.1 → none",
        "tzdata none → 2026.1",
    ]
    assert moves(new, new) == ()


def test_a_lock_moves_with_the_python_alone():
    old, new = (pins(BEFORE.splitlines(), Wanted(where="", python=one)) for one in ("3.11.7", "3.13.0"))
    assert [str(one) for one in moves(old, new)] == ["async-timeout 5.0 → none", "numpy 1.26 → 2.3"]


@pytest.mark.parametrize(
    ("line", "free"),
    [
        ("psycopg[pool,binary]==3.3 ; sys_platform != 'win32' --hash=sha256:0", True),
        ("django>=5,<6", False),
        ("django==5.2.*", False),
        ("shop @ https://example.com/shop-1.zip --hash=sha256:0", False),
        ("--find-links ./wheels", False),
    ],
)
def test_only_exact_versions_may_move(line, free):
    plain = line.partition(" --hash")[0]
    assert loosened(line) == ('psycopg[binary,pool] ; sys_platform != "win32"' if free else plain)


def test_a_requested_version_takes_the_place_of_what_was_required():
    requested = requirements("Django[argon2]==6.1.*", "psycopg")
    assert with_requested("django[bcrypt]~=5.2.0 ; python_version > '3'", requested) == (
        'django[argon2,bcrypt]==6.1.* ; python_version > "3"'
    )
    assert with_requested("psycopg[pool]>=3,<4", requested) == "psycopg[pool]"
    assert with_requested("djangorestframework~=3.16", requested) == "djangorestframework~=3.16"
