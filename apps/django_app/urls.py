from http import HTTPStatus
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.urls import path, register_converter
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import conditional_page

from responses import JsonResponse
from schemas import Id

views = import_module(settings.VIEWS)


def refuse(status):
    """Return a view that answers *status* as the contract does."""

    def view(request, exception=None, **kwargs):
        request.read()  # granian closes a connection with an unread body
        return JsonResponse({"detail": HTTPStatus(status).phrase}, status=status)

    return view


def by_method(**handlers):
    """Return a view for a path: Django routes by path alone, and its own 405 has no body."""
    refuse_method = refuse(405)

    def view(request, **kwargs):
        return handlers.get(request.method, refuse_method)(request, **kwargs)

    if settings.HTTP_CACHE:
        view = cache_control(no_cache=True)(conditional_page(view))
    return csrf_exempt(view)  # for `django-default`: no view here trusts a cookie


# Here alone: where all requests pass through it already, twice would be wrong.
with_session = decorator_from_middleware(SessionMiddleware)
visit = views.visit
if "django.contrib.sessions.middleware.SessionMiddleware" not in settings.MIDDLEWARE:
    visit = with_session(visit)


register_converter(Id, "id")

urlpatterns = [
    path("", by_method(GET=views.hello)),
    path("users", by_method(GET=views.list_users, POST=views.create_user)),
    path("users/batch", by_method(POST=views.create_users_batch)),
    path("users/page", by_method(GET=views.users_page)),
    path(
        "users/<id:user_id>",
        by_method(GET=views.retrieve_user, PUT=views.update_user, DELETE=views.delete_user),
    ),
    path("posts", by_method(GET=views.list_posts)),
    path("session", by_method(GET=visit)),
    path("wait", by_method(GET=views.wait)),
    path("events", by_method(GET=views.events)),
    path("health", by_method(GET=views.health)),
]

handler400, handler404, handler500 = refuse(400), refuse(404), refuse(500)
