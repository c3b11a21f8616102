import os

from django.core.wsgi import get_wsgi_application
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

app = get_wsgi_application()
if getattr(connection, "pool", None):
    connection.pool.open(wait=True)  # gunicorn imports this in each worker, after the fork
