from http import HTTPStatus
from importlib import import_module

from django.conf import settings
from django.http import JsonResponse
from django.urls import path, register_converter
from django.views.decorators.csrf import csrf_exempt

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

    return csrf_exempt(view)  # for `django-default`: no view here trusts a cookie


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
    path("wait", by_method(GET=views.wait)),
    path("health", by_method(GET=views.health)),
]

handler400, handler404, handler500 = refuse(400), refuse(404), refuse(500)
