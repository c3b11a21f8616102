import os
from urllib.parse import unquote, urlsplit

import django

DATABASE_URL = urlsplit(os.environ["DATABASE_URL"])
# DB_POOL is the total, so that more workers never mean more connections; 0: a connection for each request.
POOL = int(os.environ.get("DB_POOL", "16"))
POOL_SIZE = max(1, POOL // int(os.environ.get("WORKERS", "1"))) if POOL else 0
# What each is worth is measured by switching it off.
EAGER = os.environ.get("EAGER", "1") != "0"
PEERS = os.environ.get("EAGER") == "peers"  # rows of the same query together, once one is needed
BATCH = os.environ.get("BATCH", "1") == "1"
# What each is worth is measured by switching it on.
CACHE = os.environ.get("CACHE", "")  # of the feed of posts: redis or memcached
SESSIONS = os.environ.get("SESSIONS", "database")  # or redis
HTTP_CACHE = os.environ.get("HTTP_CACHE") == "1"  # every answer to a GET can be revalidated
SERIALIZER = os.environ.get("SERIALIZER", "")  # of JSON: orjson, else the framework's own
# The module that urls.py routes to: views, or views_drf.
VIEWS = os.environ.get("VIEWS", "views")
HAS_POOL = django.VERSION >= (5, 1)  # before, a thread keeps its connection

ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = os.environ.get("URLS", "urls")
SECRET_KEY = "signs sessions that hold a number of visits"
INSTALLED_APPS = ["django.contrib.sessions"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]  # for Content-Length: else chunks
APPEND_SLASH = False  # no redirects
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": ["templates"]}]
TIME_ZONE = "UTC"
USE_I18N = False
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": DATABASE_URL.hostname,
        "PORT": DATABASE_URL.port,
        "USER": unquote(DATABASE_URL.username),
        "PASSWORD": unquote(DATABASE_URL.password),
        "NAME": DATABASE_URL.path.lstrip("/"),
        "CONN_MAX_AGE": None if POOL and not HAS_POOL else 0,
        # The timeout is how long /health takes to see that the database is away.
        "OPTIONS": {"pool": POOL and {"min_size": POOL_SIZE, "max_size": POOL_SIZE, "timeout": 3}}
        if HAS_POOL
        else {"connect_timeout": 3},
    }
}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": os.environ.get("VALKEY_URL", ""),
}
MEMCACHED = {
    "BACKEND": "django.core.cache.backends.memcached.PyMemcacheCache",
    "LOCATION": os.environ.get("MEMCACHED_ADDRESS", ""),
}
NO_CACHE = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
CACHES = {
    "default": {"redis": REDIS, "memcached": MEMCACHED}.get(CACHE, NO_CACHE),
    "sessions": REDIS,
}
SESSION_ENGINE = f"django.contrib.sessions.backends.{'cache' if SESSIONS == 'redis' else 'db'}"
SESSION_CACHE_ALIAS = "sessions"
SESSION_COOKIE_NAME = "session"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "ERROR"},
    "loggers": {"django": {"level": "ERROR"}},
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": [
        "renderers.OrjsonRenderer" if SERIALIZER == "orjson" else "rest_framework.renderers.JSONRenderer"
    ],
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= means nothing here
}
