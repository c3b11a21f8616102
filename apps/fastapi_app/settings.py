import os

DATABASE_URL = os.environ["DATABASE_URL"]
# DB_POOL is the total, so that more workers never mean more connections.
POOL_SIZE = max(1, int(os.environ.get("DB_POOL", "16")) // int(os.environ.get("WORKERS", "1")))
