import pytest

from bench.compare.diff import Selection, planned
from bench.compare.sides import laid_out
from bench.errors import UsageError
from bench.project import contenders, plans, scenarios
from bench.project.sources import ownership, sources
from tests.support.repositories import commit, git

CONTENDER = """
[contenders.shop]
command = "gunicorn shop:app --bind {host}:{port}"
schema = "db.sql"
prepare = "python manage.py migrate"
pass_env = ["KEY"]

[contenders.shop-two]
of = "shop"
workers = 2
"""
SCENARIOS = """
[exchanges.home]
request = "GET /"

[scenarios.home]
mix = { home = 1 }
"""


def service(root, text=CONTENDER + SCENARIOS, file="bench.toml"):
    root.mkdir(exist_ok=True)
    (root / file).write_text(text)
    (root / "shop.py").write_text("app = None\n")
    return root


def test_a_service_is_declared_where_it_lies(tmp_path):
    root = service(tmp_path)
    found = contenders.resolve("shop-two", contenders.declared(root))
    assert (found.at, found.place, found.app) == ("", root, "app")
    assert (found.stack, found.interface, found.server) == ("shop-two, 2 workers", "http", "gunicorn")
    assert (found.schema, found.prepare, found.pass_env) == (
        ("db.sql",),
        ("python manage.py migrate",),
        ("KEY",),
    )
    assert list(scenarios.declared(root)) == ["home"]


def test_a_table_of_pyproject_is_the_same(tmp_path):
    text = (CONTENDER + SCENARIOS).replace("[contenders", "[tool.bench.contenders")
    text = text.replace("[exchanges", "[tool.bench.exchanges").replace("[scenarios", "[tool.bench.scenarios")
    root = service(tmp_path, f'[project]\nname = "shop"\n{text}', "pyproject.toml")
    assert list(contenders.declared(root)) == ["shop", "shop-two"]
    assert list(scenarios.declared(root)) == ["home"]
    (root / "bench.toml").write_text(SCENARIOS)
    with pytest.raises(UsageError, match="keep one of them"):
        contenders.declared(root)


def test_the_project_is_the_nearest_folder_that_declares_contenders(tmp_path):
    inner = service(tmp_path) / "services" / "cart"
    inner.mkdir(parents=True)
    assert contenders.find_project(inner) == tmp_path
    service(inner)
    assert contenders.find_project(inner) == inner
    (inner / "bench.toml").write_text('source = ["shop.py"]\n')  # as beside apps/: no contenders
    assert contenders.find_project(inner) == tmp_path


def test_services_of_a_monorepo_own_their_folders(tmp_path):
    for name in ("cart", "mail"):
        (tmp_path / "services" / name).mkdir(parents=True)
    text = "".join(
        f'[contenders.{name}]\nfolder = "services/{name}"\ncommand = "x"\n' for name in ("cart", "mail")
    )
    root = service(tmp_path, text + SCENARIOS)
    assert contenders.resolve("cart", contenders.declared(root)).app == "services-cart"
    owned = ownership((root,), sources(root))
    assert owned.app("services/cart/views.py") == "services-cart"
    assert owned.app("libs/common.py") is None
    assert owned.irrelevant("README.md") == "documentation"
    assert not owned.irrelevant("bench.toml")  # it has the commands


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[contender.shop]\n", "contender: unknown key; did you mean contenders"),
        ("[contenders.shop]\n", r"contenders\.shop\.command: missing"),
        ('[contenders.shop]\ncommand = "x"\nfolder = "api"\n', 'there is no folder "api"'),
        ('[contenders.shop]\ncommand = "x"\nfolder = "../api"\n', "no path below the project"),
        ('[contenders.shop]\ncomand = "x"\n', r"contenders\.shop\.comand: unknown key"),
        ('[contenders.shop]\nof = "cart"\n', "'cart' is no other contender"),
    ],
)
def test_mistakes_are_named(tmp_path, text, words):
    with pytest.raises(UsageError, match=words):
        contenders.declared(service(tmp_path, text))


def test_scenarios_stand_in_one_place(tmp_path):
    root = service(tmp_path, CONTENDER)
    with pytest.raises(UsageError, match="no scenarios: write"):
        scenarios.declared(root)
    (root / "perf.toml").write_text(SCENARIOS)
    (root / "bench.toml").write_text('scenarios_file = "perf.toml"\n' + CONTENDER)
    assert list(scenarios.declared(root)) == ["home"]
    (root / "bench.toml").write_text('scenarios_file = "perf.toml"\n' + CONTENDER + SCENARIOS)
    with pytest.raises(UsageError, match="keep one of them"):
        scenarios.declared(root)


def test_without_plans_there_is_one_of_everything(tmp_path):
    root = service(tmp_path)
    assert plans.names(root) == ["quick"]
    plan = plans.read(root, "quick")
    assert plan.fewer_connections == 10
    assert (plan.reference, plan.blocks[0].contenders, plan.blocks[0].scenarios) == (
        "shop",
        ("shop",),
        ("home",),
    )


def test_a_new_bench_file_serves_both_sides_of_its_first_pull_request(tmp_path):
    root = service(tmp_path / "shop")
    (root / "bench.toml").unlink()
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    service(root)
    users = '[scenarios.users]\nlocustfile = "locustfile.py"\n'
    (root / "bench.toml").write_text((root / "bench.toml").read_text() + users)
    (root / "locustfile.py").write_text("import locust\n")
    (root / "shop.py").write_text("app = 2\n")
    with laid_out(root, "HEAD", None) as sides:
        made, notes = planned(sides, Selection())
        assert (sides.base.folder / "shop.py").read_text() == "app = None\n"
    assert [block.contenders[0].partition("@")[0] for block in made.blocks] == ["shop", "shop"]
    assert "bench.toml is new: the head's is used on both sides" in notes
