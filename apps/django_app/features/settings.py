"""What `startproject` writes, with the users in the admin and REST framework's own pages."""

import secrets

from settings_default import *  # noqa: F403
from settings_default import INSTALLED_APPS

SECRET_KEY = secrets.token_urlsafe()  # its sessions last as long as its server
INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework", "features.users"]
ROOT_URLCONF = "features.urls"
LOGIN_URL = "admin:login"
REST_FRAMEWORK = {"URL_FORMAT_OVERRIDE": None}  # ?format= means nothing in the contract
