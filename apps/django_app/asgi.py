import os

from django.core.asgi import get_asgi_application
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

app = get_asgi_application()
if connection.pool:
    connection.pool.open(wait=True)
