import os

DATABASE_URL = os.environ["DATABASE_URL"]
# DB_POOL is the total, so that more workers never mean more connections; 0: a connection for each request.
POOL = int(os.environ.get("DB_POOL", "16"))
POOL_SIZE = max(1, POOL // int(os.environ.get("WORKERS", "1"))) if POOL else 0
# What each is worth is measured by switching it off.
EAGER = os.environ.get("EAGER", "1") == "1"
BATCH = os.environ.get("BATCH", "1") == "1"
# The module that app.py takes: views, or views_sql.
VIEWS = os.environ.get("VIEWS", "views")
