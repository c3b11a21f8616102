import os
from datetime import timedelta
from inspect import signature

from fastapi import Depends

DATABASE_URL = os.environ["DATABASE_URL"]
DB_DRIVER = os.environ.get("DB_DRIVER", "asyncpg")
# DB_POOL is the total, so that more workers never mean more connections; 0: a connection for each request.
POOL = int(os.environ.get("DB_POOL", "16"))
POOL_SIZE = max(1, POOL // int(os.environ.get("WORKERS", "1"))) if POOL else 0
# What each is worth is measured by switching it off.
EAGER = os.environ.get("EAGER", "1") == "1"
BATCH = os.environ.get("BATCH", "1") == "1"
# What each is worth is measured by switching it on.
CACHE = os.environ.get("CACHE", "")  # of the feed of posts: redis or memcached
SESSIONS = os.environ.get("SESSIONS", "database")  # or redis
SESSION_LIFETIME = timedelta(weeks=2)  # as Django has it
HTTP_CACHE = os.environ.get("HTTP_CACHE") == "1"  # every answer to a GET can be revalidated
SERIALIZER = os.environ.get("SERIALIZER", "")  # of JSON: orjson, else the framework's own
VALKEY_URL = os.environ.get("VALKEY_URL", "")
MEMCACHED_ADDRESS = os.environ.get("MEMCACHED_ADDRESS", "")
# The modules that app.py puts together: db and views, or db_def and views_def.
DB = os.environ.get("DB", "db")
VIEWS = os.environ.get("VIEWS", "views")
# A dependency that ends before the response is sent: until FastAPI 0.117 all do, since 0.121 those with this.
EARLY = {"scope": "function"} if "scope" in signature(Depends).parameters else {}
