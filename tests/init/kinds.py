# ruff: noqa: E501
"""Ten kinds of small checkouts, as files by their paths."""

FLASK_SINGLE = {
    "app.py": """
import sqlite3
from flask import Flask, redirect
app = Flask(__name__)

@app.route("/")
def home():
    return "hello"

@app.get("/old")
def old():
    return redirect("/")

@app.route("/items/<int:item>")
def item(item):
    return str(item)

@app.post("/items")
def add():
    return "", 201

@app.cli.command("init-db")
def init_db():
    sqlite3.connect("shop.db").execute("create table items (id integer)")
""",
    "requirements.txt": "flask==3.1.0\n",
    "tests/test_app.py": "from flask import Flask\napp = Flask(__name__)\n",
}
FLASK_FACTORY = {
    "requirements.txt": "Flask\nwaitress\nFlask-SQLAlchemy\nFlask-Migrate\npsycopg[binary]\n",
    "shop/__init__.py": """
import os
from flask import Flask
from .auth import bp as auth_bp
from . import blog

def create_app(test_config=None):
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///shop.db")
    app.register_blueprint(auth_bp)
    app.register_blueprint(blog.bp, url_prefix="/blog")
    return app
""",
    "shop/auth.py": """
from flask import Blueprint
bp = Blueprint("auth", __name__, url_prefix="/auth")

@bp.route("/login", methods=("GET", "POST"))
def login():
    return ""
""",
    "shop/blog.py": """
from flask import Blueprint
from flask_login import login_required
bp = Blueprint("blog", __name__, url_prefix="/never")

@bp.get("/posts")
def posts():
    return ""

@bp.get("/mine")
@login_required
def mine():
    return ""
""",
    "migrations/env.py": "",
}
FLASK_PROCFILE = {
    "wsgi.py": "from flask import Flask\napp = Flask(__name__)\n@app.get('/healthz')\ndef health():\n    return ''\n",
    "requirements/base.txt": "flask\n",
    "requirements/prod.txt": "-r base.txt\ngunicorn\n",
    "requirements/dev.txt": "-r base.txt\npytest\n",
    "gunicorn.conf.py": "bind = '0.0.0.0:80'\nworkers = 9\nworker_class = 'gthread'\n",
    "Procfile": "release: flask db upgrade\nweb: gunicorn wsgi:app --bind 0.0.0.0:$PORT --threads 4\nworker: rq worker\n",
}
DJANGO_START = {
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n",
    "mysite/__init__.py": "",
    "mysite/settings.py": """
SECRET_KEY = "django-insecure-abc"
DEBUG = True
ALLOWED_HOSTS = []
ROOT_URLCONF = "mysite.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
""",
    "mysite/urls.py": "from django.contrib import admin\nfrom django.urls import path\nurlpatterns = [path('admin/', admin.site.urls)]\n",
    "mysite/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
    "mysite/asgi.py": "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n",
    "requirements.txt": "Django>=5\n",
}
DJANGO_ENV = {
    **DJANGO_START,
    "mysite/settings.py": """
import environ, os
env = environ.Env()
SECRET_KEY = env("SECRET_KEY")
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = ["shop.example", ".example.com"]
STRIPE_KEY = os.environ["STRIPE_KEY"]
ROOT_URLCONF = "mysite.urls"
STATIC_ROOT = "static"
DATABASES = {"default": env.db("DATABASE_URL")}
""",
    "mysite/urls.py": """
from django.urls import include, path, re_path
urlpatterns = [
    path("", home), path("shop/", include("shop.urls")), re_path(r"^year/([0-9]{4})/$", year),
]
""",
    "shop/urls.py": "from django.urls import path\nurlpatterns = [path('list/', v), path('item/<int:pk>/', v)]\n",
    "requirements.txt": "django\ndjango-environ\ngunicorn\npsycopg2-binary\n",
    ".env.example": "SECRET_KEY=\nDEBUG=True\nDATABASE_URL=postgres://u:p@localhost/db\nSTRIPE_KEY=\n",
}
DJANGO_DRF_COMPOSE = {
    "backend/manage.py": DJANGO_START["manage.py"],
    "backend/mysite/wsgi.py": DJANGO_START["mysite/wsgi.py"],
    "backend/mysite/settings.py": """
import os
from decouple import config
SECRET_KEY = config("SECRET_KEY", default="dev")
ROOT_URLCONF = "mysite.urls"
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost").split(",")
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": config("POSTGRES_DB"),
  "USER": config("POSTGRES_USER"), "PASSWORD": config("POSTGRES_PASSWORD"), "HOST": config("DB_HOST")}}
CACHES = {"default": {"LOCATION": config("REDIS_URL")}}
""",
    "backend/mysite/urls.py": """
from django.urls import include, path
from rest_framework.routers import DefaultRouter
router = DefaultRouter()
router.register("users", UserViewSet)
urlpatterns = [path("api/", include(router.urls)), path("auth/", include("rest_framework.urls"))]
""",
    "backend/requirements.txt": "django\ndjangorestframework\npsycopg[binary]\ndjango-redis\nredis\ngunicorn\npython-decouple\n",
    "backend/Dockerfile": 'FROM python:3.12\nCMD ["gunicorn", "mysite.wsgi", "-b", "0.0.0.0:8000", "-w", "3"]\n',
    "docker-compose.yml": """
services:
  db: {image: "postgres:16"}
  cache: {image: "redis:7-alpine"}
  web:
    build: ./backend
    command: sh -c "python manage.py migrate && python manage.py runserver 0.0.0.0:8000"
    environment:
      - POSTGRES_DB=shop
      - POSTGRES_USER=shop
      - POSTGRES_PASSWORD=shop
      - DB_HOST=db
      - REDIS_URL=redis://cache:6379/1
      - FEATURE={on}
""",
    "frontend/package.json": '{"scripts": {"build": "vite build"}}',
}
FASTAPI_SINGLE = {
    "main.py": """
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
async def root():
    return {}

@app.get("/search")
async def search(q: str, limit: int = 10):
    return {}

@app.get("/items/{item_id}")
async def item(item_id: int):
    return {}
""",
    "requirements.txt": "fastapi[standard]\n",
}
FASTAPI_SRC = {
    "pyproject.toml": """
[project]
name = "Shop.API"
version = "1"
requires-python = "==3.9.*"
dependencies = ["fastapi", "sqlalchemy", "asyncpg", "pydantic-settings"]
[project.optional-dependencies]
prod = ["uvicorn"]
[build-system]
requires = ["hatchling"]
""",
    "uv.lock": "".join(
        f'[[package]]\nname = "{one}"\n' for one in ("fastapi", "uvicorn", "asyncpg", "sqlalchemy")
    ),
    "alembic.ini": "[alembic]\n",
    "src/shop/__init__.py": "",
    "src/shop/config.py": """
from pydantic_settings import BaseSettings
class Settings(BaseSettings):
    API_V1: str = "/api/v1"
    database_url: str
    jwt_secret: str
    mail_server: str
""",
    "src/shop/main.py": """
from fastapi import FastAPI
from .config import Settings
from .api import router
settings = Settings()
app = FastAPI()
app.include_router(router, prefix=settings.API_V1)
""",
    "src/shop/api/__init__.py": "from .routes import router\n",
    "src/shop/api/routes.py": """
from fastapi import APIRouter
from . import users
router = APIRouter()
router.include_router(users.router, prefix="/users")
lost = APIRouter(prefix="/lost")

@router.get("/health")
def health(): ...

@lost.get("/x")
def x(): ...
""",
    "src/shop/api/users.py": """
from fastapi import APIRouter
router = APIRouter()

@router.get("")
def users(): ...

@router.get("/{id}")
def user(id: int): ...
""",
}
STARLETTE_DOCKER = {
    "service/app.py": """
from starlette.applications import Starlette
from starlette.routing import Mount, Route
app = Starlette(routes=[Route("/", home), Mount("/v1", routes=[Route("/things", things), Route("/t/{id:int}", t)])])
""",
    "requirements.txt": "starlette\nuvicorn[standard]\n",
    "Dockerfile": """
FROM python:3.12
ENV LOG_LEVEL=warning MODE=fast
WORKDIR /app
EXPOSE 8080
ENTRYPOINT ["uvicorn"]
CMD ["service.app:app", "--host", "0.0.0.0", \\
     "--port=8080", "--reload", "--log-level", "warning"]
""",
}
MONOREPO = {
    "services/users/pyproject.toml": '[project]\nname = "users"\nversion = "1"\ndependencies = ["flask", "gunicorn"]\n',
    "services/users/users/app.py": "from flask import Flask\napp = Flask(__name__)\n@app.get('/users')\ndef users(): ...\n",
    "services/orders/requirements.txt": "fastapi\nhypercorn\n",
    "services/orders/main.py": "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/users')\ndef orders(): ...\n",
    "README.md": "two services",
}
NO_WEB = {
    "setup.py": "from setuptools import setup\nsetup(name='lib')\n",
    "lib/__init__.py": "def f(): ...\n",
}
WSGI_PLAIN = {
    "shop.py": """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2"), ("Content-Type", "text/plain")])
    return [b"ok"]
""",
}
LITESTAR_SRC = {
    "pyproject.toml": """
[project]
name = "basket"
version = "1"
dependencies = ["litestar", "uvicorn"]
""",
    "src/basket/__init__.py": "",
    "src/basket/items.py": """
from litestar import Controller, get, post

class Items(Controller):
    path = "/items"

    @get("/")
    async def listed(self) -> list[int]: ...

    @get("/{sku:int}")
    async def item(self, sku: int) -> int: ...

    @get("/search")
    async def search(self, q: str) -> int: ...

    @post("/")
    async def add(self, data: int) -> int: ...
""",
    "src/basket/web.py": """
from litestar import Litestar, Router, get
from basket.items import Items

@get("/health")
async def health() -> str: ...

@get()
async def home() -> str: ...

def get_total() -> int: ...

v1 = Router(path="/v1", route_handlers=[Items])

def create_app() -> Litestar:
    return Litestar(route_handlers=[home, health, v1])
""",
}
ASGI_PLAIN = {
    "service/main.py": """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
""",
    "requirements.txt": "uvicorn\n",
}

KINDS = {
    "flask-single": FLASK_SINGLE,
    "flask-factory": FLASK_FACTORY,
    "flask-procfile": FLASK_PROCFILE,
    "django-start": DJANGO_START,
    "django-env": DJANGO_ENV,
    "django-drf-compose": DJANGO_DRF_COMPOSE,
    "fastapi-single": FASTAPI_SINGLE,
    "fastapi-src": FASTAPI_SRC,
    "starlette-docker": STARLETTE_DOCKER,
    "monorepo": MONOREPO,
    "wsgi-plain": WSGI_PLAIN,
    "litestar-src": LITESTAR_SRC,
    "asgi-plain": ASGI_PLAIN,
}


def laid_out(files, root):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root
