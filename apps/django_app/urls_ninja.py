"""The routes of `django-ninja`: its API makes them, and urls.py what Django itself answers."""

from django.urls import path

from urls import handler400, handler404, handler500, refuse  # noqa: F401
from views_ninja import api

refuse_method = refuse(405)


def with_detail(view):
    """Return *view* with the contract's 405: Ninja's own is no JSON."""

    def answer(request, **kwargs):
        response = view(request, **kwargs)
        return refuse_method(request) if response.status_code == 405 else response

    answer.csrf_exempt = True  # as Ninja's views are
    return answer


routes, app_name, namespace = api.urls
for route in routes:
    route.callback = with_detail(route.callback)
urlpatterns = [path("", (routes, app_name, namespace))]
