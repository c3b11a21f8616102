"""A scenario that names a locustfile: what is read of it, and what is refused before anything starts."""

import pytest

from bench.errors import UsageError
from bench.project import plans, scenarios
from bench.run.shared_scenarios import common
from tests.support.projects import PLAN, SCENARIOS, make_project

USERS = '\n[scenarios.shop]\nlocustfile = "load/locustfile.py"\n'
FILE = "from locust import HttpUser, task\n"


def declared(root, *, more=USERS, text=FILE):
    make_project(root, scenarios=SCENARIOS + more)
    (root / "load").mkdir()
    (root / "load" / "locustfile.py").write_text(text)
    return scenarios.declared(root)


def test_its_one_exchange_has_the_content_of_the_file_and_may_write(tmp_path):
    shop = declared(tmp_path / "a")["shop"]
    assert shop.locustfile.file == tmp_path / "a" / "load" / "locustfile.py"
    assert [one.name for one in shop.exchanges] == ["shop"]
    assert shop.writes
    same, other = declared(tmp_path / "b")["shop"], declared(tmp_path / "c", text="import locust\n")["shop"]
    users = declared(tmp_path / "d", more=USERS + 'users = ["Shopper"]\n')["shop"]
    assert users.locustfile.users == ("Shopper",)
    assert shop.exchanges == same.exchanges
    assert shop.exchanges != other.exchanges != users.exchanges != shop.exchanges


def test_a_diff_runs_the_heads_and_says_that_the_base_has_another(tmp_path):
    base, head = declared(tmp_path / "base"), declared(tmp_path / "head", text="import locust\n")
    told = common(base, head)
    assert told.scenarios["shop"] == head["shop"]
    assert told.changed == ("shop",)
    assert common(base, base).changed == ()


def test_a_file_of_locustfiles_alone_needs_no_exchanges(tmp_path):
    root = make_project(tmp_path, scenarios=USERS)
    (root / "load").mkdir()
    (root / "load" / "locustfile.py").write_text(FILE)
    assert list(scenarios.declared(root)) == ["shop"]


@pytest.mark.parametrize(
    ("more", "text", "words"),
    [
        (
            USERS.replace("load/", ""),
            FILE,
            "scenarios.shop.locustfile: there is no file .*locustfile.py: name it",
        ),
        (USERS.replace("load/", "../"), FILE, "scenarios.shop.locustfile: .* is no path below the project"),
        (USERS, "class A(:\n", "scenarios.shop.locustfile: .*, line 1: it is no Python: .*: mend it"),
        (USERS + "mix = { hello = 1 }\n", FILE, "scenarios.shop.mix: a locustfile settles that itself"),
        (USERS + "cookies = true\n", FILE, "scenarios.shop.cookies: a locustfile settles that itself"),
        (
            USERS.replace("shop", "hello2") + "[scenarios.empty]\n",
            FILE,
            "scenarios.empty: it requests nothing",
        ),
        (
            '\n[scenarios.x]\nmix = { hello = 1 }\nusers = ["A"]\n',
            FILE,
            "scenarios.x.users: only a locustfile",
        ),
        (USERS.replace("shop", "create"), FILE, "scenarios.create: an exchange has the same name"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(tmp_path, more, text, words):
    with pytest.raises(UsageError, match=words):
        declared(tmp_path, more=more, text=text)


def test_it_is_measured_under_closed_loads_alone(tmp_path):
    plan = PLAN.replace('"hello", "churn"', '"hello", "shop"')
    known = declared(tmp_path)
    (tmp_path / "plans" / "tiny.toml").write_text(plan)
    assert list(plans.scenarios(plans.read(tmp_path, "tiny"), known)) == ["hello", "shop"]
    (tmp_path / "plans" / "tiny.toml").write_text(
        plan.replace("connections = 4 }]", 'connections = 4 }, { kind = "open", rate = 50 }]')
    )
    with pytest.raises(
        UsageError, match=r"plan tiny: shop under 50 requests/s: .* under closed loads, in a block"
    ):
        plans.scenarios(plans.read(tmp_path, "tiny"), known)
