"""`bench init` on small checkouts: what it finds, what it guesses, what it leaves open."""

import subprocess
import sys
import tomllib

import pytest

from bench.cli.init import write_bench_file
from bench.errors import CannotMeasure, UsageError
from bench.init import bench_toml, found_service
from bench.init.checkout import checkout
from bench.project import contenders, scenarios
from tests.init.kinds import KINDS, NO_WEB, WSGI_PLAIN, laid_out

WORKERS = "--workers {workers}"
AT = "--host {host} --port {port}"
# kind → the keys of its contender
FOUND = {
    "flask-single": {
        "command": f"flask --app app:app run {AT}",
        "keep_alive": False,
        "prepare": ["flask --app app init-db"],
        "ready": {"path": "/"},
    },
    "flask-factory": {
        "services": ["postgres"],
        "command": "waitress-serve --listen={host}:{port} --call shop:create_app",
        "prepare": ["flask --app shop db upgrade"],
        "ready": {"path": "/auth/login"},
    },
    "flask-procfile": {
        "install": "requirements/prod.txt",
        "command": f"gunicorn wsgi:app --threads 4 --bind {{host}}:{{port}} {WORKERS}",
        "prepare": ["flask db upgrade"],
        "ready": {"path": "/healthz"},
    },
    "django-start": {
        "command": "python manage.py runserver {host}:{port} --noreload",
        "prepare": ["python manage.py migrate --noinput"],
        "ready": {"path": "/admin/login/"},
    },
    "django-env": {
        "build": ["python manage.py collectstatic --noinput"],
        "services": ["postgres"],
        "command": f"gunicorn mysite.wsgi:application --bind {{host}}:{{port}} {WORKERS}",
        "keep_alive": False,
        "prepare": ["python manage.py migrate --noinput"],
        "env_file": ".env.example",
        "ready": {"path": "/", "host": "shop.example"},
    },
    "django-drf-compose": {
        "folder": "backend",
        "services": ["postgres", "redis"],
        "command": f"gunicorn mysite.wsgi --bind {{host}}:{{port}} {WORKERS}",
        "keep_alive": False,
        "prepare": ["python manage.py migrate"],
        "ready": {"path": "/api/users/"},
    },
    "fastapi-single": {"command": f"uvicorn main:app {AT} {WORKERS}", "ready": {"path": "/"}},
    "fastapi-src": {
        "extras": ["prod"],
        "python": "3.9",
        "services": ["postgres"],
        "command": f"uvicorn shop.main:app {AT} {WORKERS} --app-dir src",
        "prepare": ["alembic upgrade head"],
        "ready": {"path": "/api/v1/health"},
    },
    "starlette-docker": {
        "command": f"uvicorn service.app:app --log-level warning {AT} {WORKERS}",
        "ready": {"path": "/"},
    },
    "litestar-src": {
        "command": f"uvicorn basket.web:create_app {AT} {WORKERS} --factory --app-dir src",
        "ready": {"path": "/health"},
    },
    "asgi-plain": {"command": f"uvicorn service.main:app {AT} {WORKERS}", "ready": {"path": "/"}},
}
ENV = {
    "flask-factory": {"SECRET_KEY": "no-secret", "DATABASE_URL": "{database_url}"},
    "django-env": {"SECRET_KEY": "no-secret", "DEBUG": "False", "DATABASE_URL": "{database_url:postgres}"},
    "django-drf-compose": {
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "POSTGRES_DB": "{database_name}",
        "POSTGRES_USER": "{database_user}",
        "POSTGRES_PASSWORD": "{database_password}",
        "DB_HOST": "{database_host}",
        "REDIS_URL": "{redis_url}",
    },
    "fastapi-src": {"DATABASE_URL": "{database_url:postgresql+asyncpg}", "JWT_SECRET": "no-secret"},
}
SENT = {
    "flask-single": ["/", "/old"],
    "flask-factory": ["/auth/login", "/blog/posts"],
    "flask-procfile": ["/healthz"],
    "django-start": ["/admin/login/"],
    "django-env": ["/", "/shop/list/"],
    "django-drf-compose": ["/api/users/"],
    "fastapi-single": ["/"],
    "fastapi-src": ["/api/v1/health", "/api/v1/users"],
    "starlette-docker": ["/", "/v1/things"],
    "wsgi-plain": ["/"],
    "litestar-src": ["/health", "/v1/items", "/"],
    "asgi-plain": ["/"],
}
# What a person must still do: a part of the line that says so, none where nothing is left.
LEFT_OPEN = {
    "flask-single": ["no production server is installed: add gunicorn to requirements.txt"],
    "flask-factory": [],
    "flask-procfile": [],
    "django-start": ["no production server is installed: add gunicorn"],
    "django-env": ["env.STRIPE_KEY"],
    "django-drf-compose": ["the host of its database, and not the port"],
    "fastapi-single": [],
    "fastapi-src": ["env.MAIL_SERVER"],
    "starlette-docker": [],
    "monorepo": [],
    "wsgi-plain": ["no route without parameters"],
    "litestar-src": [],
    "asgi-plain": ["no route without parameters"],
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def root(kind, tmp_path):
    folder = tmp_path / kind
    folder.mkdir()
    return laid_out(KINDS[kind], folder)


def table(root):
    content = tomllib.loads(bench_toml.written(found_service.found(checkout(root))))["contenders"]
    (own,) = content.values()
    return own


@pytest.mark.parametrize("kind", FOUND)
def test_the_keys_of_a_contender_are_those_that_its_files_show(kind, root):
    own = table(root)
    own.pop("env", None)
    assert own == FOUND[kind]


@pytest.mark.parametrize("kind", ENV)
def test_variables_name_the_database_of_the_server_itself(kind, root):
    env = {name: value.partition("-bench-")[0] for name, value in table(root)["env"].items()}
    assert env == ENV[kind]


@pytest.mark.parametrize("kind", SENT)
def test_routes_without_parameters_are_sent(kind, root):
    (own,) = found_service.found(checkout(root))
    assert [one.request for one in own.drafts if not one.lacks] == [f"GET {path}" for path in SENT[kind]]


def test_what_is_left_open_is_listed_and_nothing_else(kind, root):
    missing = [line for one in found_service.found(checkout(root)) for line in one.missing]
    assert len(missing) == len(LEFT_OPEN[kind])
    for line, part in zip(missing, LEFT_OPEN[kind], strict=True):
        assert part in line


def test_what_is_written_is_a_project(kind, root):
    (root / "bench.toml").write_text(bench_toml.written(found_service.found(checkout(root))))
    tables = contenders.declared(root)
    known = scenarios.declared(root)
    for name in tables:
        one = contenders.resolve(name, tables)
        assert "{port}" in one.command
        assert set(one.scenarios or known) <= set(known)


def test_routes_with_parameters_are_comments_with_what_they_lack(tmp_path):
    written = bench_toml.written(found_service.found(checkout(laid_out(KINDS["fastapi-single"], tmp_path))))
    assert "# Not sent: give item_id values that exist, then add it to the mix\n# [exchanges.items" in written
    assert '# Not sent: it needs q in its query\n# [exchanges.search]\n# request = "GET /search"' in written


ROUTERS = {
    "fastapi": """
from fastapi import APIRouter, FastAPI
app = FastAPI()
orders = APIRouter(prefix="/shops/{shop}/orders")
@orders.get("/{order}")
def order(shop: int, order: int, verbose: bool = False): ...
app.include_router(orders)
""",
    "litestar": """
from litestar import Controller, Litestar, get
class Orders(Controller):
    path = "/shops/{shop:int}/orders"
    @get("/{order:int}")
    async def order(self, shop: int, order: int, verbose: bool = False) -> int: ...
app = Litestar([Orders])
""",
}


@pytest.mark.parametrize("framework", ROUTERS)
def test_a_parameter_in_the_path_of_a_router_is_none_of_the_query(framework, tmp_path):
    laid_out({"app.py": ROUTERS[framework], "requirements.txt": f"{framework}\nuvicorn\n"}, tmp_path)
    (own,) = found_service.found(checkout(tmp_path))
    order = own.drafts[-1]
    assert order.request == "GET /shops/{shop}/orders/{order}"
    assert order.lacks == "give shop and order values that exist, then add it to the mix"


def test_two_services_are_two_contenders_with_scenarios_of_their_own(tmp_path):
    found = found_service.found(checkout(laid_out(KINDS["monorepo"], tmp_path)))
    content = tomllib.loads(bench_toml.written(found))
    assert {name: one["folder"] for name, one in content["contenders"].items()} == {
        "orders": "services/orders",
        "users": "services/users",
    }
    assert content["contenders"]["orders"]["command"].startswith("hypercorn main:app --bind {host}:{port}")
    assert content["contenders"]["users"]["command"].startswith("gunicorn users.app:app")
    assert content["scenarios"]["users"]["mix"] == {"users-users": 1}


def test_a_compose_service_of_the_root_is_no_command_of_each_service(tmp_path):
    compose = "services: {web: {build: ., command: gunicorn other:app}}"
    found = found_service.found(checkout(laid_out({**KINDS["monorepo"], "compose.yaml": compose}, tmp_path)))
    assert not [one.name for one in found if "other:app" in one.value("command")]


def test_django_without_a_manage_py_has_no_command_of_it(tmp_path):
    text = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    laid_out({"shop/wsgi.py": text, "requirements.txt": "django\ngunicorn\n"}, tmp_path)
    (own,) = found_service.found(checkout(tmp_path))
    assert own.value("command").startswith("gunicorn shop.wsgi:application --bind {host}:{port}")
    assert own.value("prepare") is None


def test_what_is_no_web_service_is_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"no web application in Python was found .* by hand") as failed:
        found_service.found(checkout(laid_out(NO_WEB, tmp_path)))
    assert "\n" not in str(failed.value)


def test_the_document_of_a_running_app_takes_the_place_of_its_routes(tmp_path, serving):
    paths = b'{"/live": {"get": {"responses": {"200": {}}}}}'
    serving.answer("/openapi.json", b'{"openapi": "3.1.0", "info": {"title": "T"}, "paths": %b}' % paths)
    root = laid_out(KINDS["fastapi-single"], tmp_path)
    write_bench_file(root, serving.url, root / "bench.toml")
    sent = [each.path for one in scenarios.declared(root).values() for each in one.exchanges]
    assert set(sent) == {"/live"}


def test_a_file_that_bench_would_refuse_is_our_fault_and_is_not_written(tmp_path):
    (own,) = found_service.found(checkout(laid_out(WSGI_PLAIN, tmp_path)))
    own.add("workers", "many", "guessed")
    with pytest.raises(CannotMeasure, match=r"workers: .* nothing is written; please report it"):
        bench_toml.written([own])


def test_nothing_of_the_project_is_executed(tmp_path):
    marker = tmp_path / "executed"
    text = f"open({str(marker)!r}, 'w')\nfrom flask import Flask\napp = Flask(__name__)\n"
    laid_out({"app.py": text, "setup.py": text, "gunicorn.conf.py": text, "old.py": "print 'x'"}, tmp_path)
    assert found_service.found(checkout(tmp_path))
    assert not marker.exists()


def bench(root, *words):
    command = [sys.executable, "-m", "bench", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_file_that_is_there_is_never_written(tmp_path):
    laid_out({**WSGI_PLAIN, "bench.toml": "# mine\n"}, tmp_path)
    code, _, err = bench(tmp_path, "init")
    assert (code, err.count("\n")) == (2, 1)
    assert "it is there already and stays as it is" in err
    assert (tmp_path / "bench.toml").read_text() == "# mine\n"
    code, _, err = bench(tmp_path, "init", "--out", "other.toml")
    assert code == 0, err
    assert "found: wsgi: shop.py (shop:application)" in err
    assert "[contenders." in (tmp_path / "other.toml").read_text()


@pytest.mark.slow
def test_init_then_check_of_a_service_without_packages(tmp_path):
    laid_out(WSGI_PLAIN, tmp_path)
    code, out, err = bench(tmp_path, "init", "--check")
    assert code == 0, err
    assert out.split() == ["ok", tmp_path.name.replace("_", "-"), "home", "GET", "/"]
    assert "all 1 answers are as expected" in err
    written = (tmp_path / "bench.toml").read_text()
    gone = "[exchanges.gone]\nrequest = 'GET /gone'\nexpect = { status = 404 }\n\n[scenarios.mix]"
    changed = written.replace("home = 1", "home = 1\ngone = 1").replace("[scenarios.mix]", gone, 1)
    (tmp_path / "bench.toml").write_text(changed)
    code, out, err = bench(tmp_path, "init", "--check")
    assert code == 3
    assert "FAILS" in out
    assert "expected status 404, got 200" in out


def checked_out(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return table(root)


WSGI = "def application(environ, start_response):\n    return [b'']\n"
FLASK = 'from flask import Flask\napp = Flask(__name__)\n\n@app.get("/")\ndef home():\n    return ""\n'
PROJECT = """
[project]
name = "shop"
dependencies = ["flask"]
[project.optional-dependencies]
test = ["waitress"]
docs-dev = ["hypercorn"]
"""


def test_a_server_of_the_tests_is_not_that_of_the_service(tmp_path):
    found = checked_out(tmp_path, {"app.py": FLASK, "pyproject.toml": PROJECT})
    assert "extras" not in found
    assert found["command"].startswith("flask ")


def test_a_server_of_another_extra_is(tmp_path):
    project = PROJECT + 'web = ["waitress"]\n'
    found = checked_out(tmp_path, {"app.py": FLASK, "pyproject.toml": project})
    assert (found["extras"], found["command"].partition(" ")[0]) == (["web"], "waitress-serve")


def test_a_lock_counts_with_what_is_installed_of_it(tmp_path):
    lock = """
[[package]]
name = "shop"
source = { editable = "." }
dependencies = [{ name = "flask" }, { name = "stack" }]
[package.optional-dependencies]
test = [{ name = "gunicorn" }]
[[package]]
name = "flask"
[[package]]
name = "stack"
dependencies = [{ name = "waitress" }]
[[package]]
name = "gunicorn"
[[package]]
name = "waitress"
"""
    files = {"app.py": FLASK, "pyproject.toml": PROJECT.replace("waitress", "gunicorn"), "uv.lock": lock}
    found = checked_out(tmp_path, files)
    assert found["command"].startswith("waitress-serve ")
    assert "extras" not in found


def test_a_group_of_a_lock_that_is_not_installed_has_no_server(tmp_path):
    lock = (
        '[[package]]\nname = "flask"\ngroups = ["main"]\n[[package]]\nname = "gunicorn"\ngroups = ["dev"]\n'
    )
    found = checked_out(tmp_path, {"app.py": FLASK, "pyproject.toml": PROJECT, "poetry.lock": lock})
    assert found["command"].startswith("flask ")


def test_a_wsgi_function_has_a_server_that_can_call_it(tmp_path):
    project = PROJECT.replace('["flask"]', "[]") + 'h2 = ["hypercorn"]\n'
    found = checked_out(tmp_path / "one", {"radical/__init__.py": WSGI, "pyproject.toml": project})
    assert "extras" not in found
    assert "wsgiref" in found["command"]
    project = project.replace("= []", '= ["waitress"]')
    found = checked_out(tmp_path / "two", {"radical/__init__.py": WSGI, "pyproject.toml": project})
    assert found["command"] == "waitress-serve --listen={host}:{port} radical:application"


@pytest.mark.parametrize(
    ("file", "text", "target"),
    [
        ("shop/run.py", "application = make_app(load())\n", "shop.run:application"),
        ("shop/wsgi.py", "application = ProxyFix(Shop())\n", "shop.wsgi:application"),
        ("shop/web.py", "app = Configurator().make_wsgi_app()\n", "shop.web:app"),
        ("shop/web.py", "import bottle\napp = bottle.default_app()\n", "shop.web:app"),
    ],
)
def test_an_application_of_no_known_framework_is_a_wsgi_object(tmp_path, file, text, target):
    project = PROJECT.replace('["flask"]', '["waitress"]')
    found = checked_out(tmp_path, {file: text, "shop/config.py": "x = load()\n", "pyproject.toml": project})
    assert found["command"] == f"waitress-serve --listen={{host}}:{{port}} {target}"


RESTFUL = """
from flask import Blueprint
from flask_restful import Api
api = Blueprint("api", __name__, url_prefix="/api")
resources = Api(api)
resources.add_resource(Rates, "/rates")
resources.add_resource(Orders, "/orders")
lost = Blueprint("lost", __name__)
Api(lost).add_resource(Rates, "/lost")
others = Api(lost)
others.add_resource(Rates, "/lost")
class Rates:
    def get(self): ...
class Orders:
    def post(self): ...
"""


def test_resources_stand_below_the_blueprint_that_their_api_is_made_of(tmp_path):
    app = FLASK + "from shop.api import api\napp.register_blueprint(api)\n"
    laid_out({"shop/__init__.py": "", "shop/app.py": app, "pyproject.toml": PROJECT}, tmp_path)
    (tmp_path / "shop/api.py").write_text(RESTFUL)
    (own,) = found_service.found(checkout(tmp_path))
    assert {one.request for one in own.drafts if not one.lacks} == {"GET /", "GET /api/rates"}
    assert [one.lacks.partition(":")[0] for one in own.drafts if one.request == "GET /lost"] == [
        "what stands before its path was not found"
    ]


def test_a_manage_py_that_is_not_of_django_does_not_make_a_folder_the_service(tmp_path):
    manage = "import click\n@click.group()\ndef cli(): ...\n"
    files = {"shop/app.py": FLASK, "shop/manage.py": manage, "pyproject.toml": PROJECT}
    found = checked_out(tmp_path, files)
    assert ("folder" in found, found["command"].split()[:3]) == (False, ["flask", "--app", "shop.app:app"])


def test_a_wrapped_application_of_a_known_framework_is_still_found_by_it(tmp_path):
    wrapped = FLASK + "application = ProxyFix(app)\n"
    found = checked_out(tmp_path, {"app.py": wrapped, "pyproject.toml": PROJECT})
    assert found["command"].startswith("flask --app app:app ")


@pytest.mark.parametrize(
    "where", ["shop/vendor/bottling.py", "shop/_vendor/x/serve.py", "shop/wrapper/bottle.py"]
)
def test_a_copy_of_the_code_of_others_is_not_the_service(tmp_path, where):
    serves = "from http.server import HTTPServer\nHTTPServer(('', 8000), None)\n"
    found = checked_out(tmp_path, {where: serves, "shop/web.py": WSGI})
    assert "shop.web" in found["command"]


@pytest.mark.parametrize(
    ("file", "text", "name"),
    [
        ("migrations/1.sql", 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";', "uuid-ossp"),
        ("alembic/1.py", "op.execute('create extension postgis')", "postgis"),
        ("shop/migrations/1.py", "operations = [CryptoExtension()]", "pgcrypto"),
        ("shop/migrations/2.py", 'operations = [CreateExtension("hll")]', "hll"),
        ("shop/config.py", "E = 'django.contrib.gis.db.backends.postgis'", "postgis"),
        ("migrations/2.sql", "CREATE EXTENSION pg_trgm; CREATE EXTENSION vector;", ""),
    ],
)
def test_an_extension_that_our_postgresql_lacks_is_found_with_another_one(tmp_path, file, text, name):
    root = laid_out(KINDS["flask-factory"], tmp_path)
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text)
    (service,) = found_service.found(checkout(root))
    assert service.value("postgres") == ({"bin": "PATH"} if name else None)
    guessed = [one for one in service.guessed if one.startswith("postgres = ")]
    assert [f"lacks {name} ({file})" in one for one in guessed] == [True] * bool(name)
    assert ('postgres = { bin = "PATH" }' in bench_toml.written([service])) == bool(name)
