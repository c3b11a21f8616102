"""The two reads of users with SQL by hand, over the connection that the ORM has; the rest is `views`."""

from django.db import connection
from django.http import Http404

import views
from responses import JsonResponse
from schemas import Page
from views import *  # noqa: F403

COLUMNS = ("id", "name", "email")
ONE = "SELECT id, name, email FROM users WHERE id = %s"
PAGE = "SELECT id, name, email FROM users WHERE id > %s ORDER BY id LIMIT %s"


def list_users(request):
    form = Page(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    page = form.cleaned_data
    if page["with"]:
        return views.list_users(request)
    with connection.cursor() as cursor:
        cursor.execute(PAGE, [page["after"], page["limit"]])
        users = cursor.fetchall()
    return JsonResponse([dict(zip(COLUMNS, user, strict=True)) for user in users], safe=False)


def retrieve_user(request, user_id):
    with connection.cursor() as cursor:
        cursor.execute(ONE, [user_id])
        user = cursor.fetchone()
    if user is None:
        raise Http404
    return JsonResponse(dict(zip(COLUMNS, user, strict=True)))
