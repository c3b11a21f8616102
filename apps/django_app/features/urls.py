from django.contrib import admin
from django.urls import path

import urls
from features import accounts, waiting
from urls import handler400, handler404, handler500

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("admin/", admin.site.urls),
    path("me", accounts.me),
    path("async/wait", waiting.wait),
    *urls.urlpatterns,
]
