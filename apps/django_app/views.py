import time

from django.conf import settings
from django.db import Error, IntegrityError, connection, models, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render

from cache import forget, kept
from models import Post, User
from responses import JsonResponse
from schemas import Feed, Pace, Page, UserIn, UsersIn, Wait, parse
from ticks import streamed


def hello(request):
    return JsonResponse({"message": "Hello, World!"})


def list_users(request):
    form = Page(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    page = form.cleaned_data
    users = User.objects.filter(id__gt=page["after"]).order_by("id")
    if not page["with"]:
        return JsonResponse([user.to_json() for user in users[: page["limit"]]], safe=False)
    if settings.EAGER:
        users = users.prefetch_related("posts")
    return JsonResponse([user.to_json_with_posts() for user in users[: page["limit"]]], safe=False)


def create_users_batch(request):
    form = UsersIn(parse(request.body))
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    data = form.cleaned_data["users"]
    users = [User(**member) for member in data]
    try:
        if settings.BATCH:
            User.objects.bulk_create(users)
        else:
            with transaction.atomic():
                for user in users:
                    user.save()
    except IntegrityError:
        return JsonResponse({"detail": "an e-mail is taken"}, status=409)
    return JsonResponse([user.to_json() for user in users], safe=False, status=201)


def create_user(request):
    form = UserIn(parse(request.body))
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    data = form.cleaned_data
    try:
        user = User.objects.create(**data)
    except IntegrityError:
        return JsonResponse({"detail": "e-mail is taken"}, status=409)
    return JsonResponse(user.to_json(), status=201, headers={"Location": f"/users/{user.id}"})


def retrieve_user(request, user_id):
    user = get_object_or_404(User, id=user_id)
    return JsonResponse(user.to_json())


def update_user(request, user_id):
    form = UserIn(parse(request.body))
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    data = form.cleaned_data
    try:
        updated = User.objects.filter(id=user_id).update(**data)
    except IntegrityError:
        return JsonResponse({"detail": "e-mail is taken"}, status=409)
    if not updated:
        raise Http404
    forget()
    user = User(id=user_id, **data)
    return JsonResponse(user.to_json())


def delete_user(request, user_id):
    deleted, _ = User.objects.filter(id=user_id).delete()
    if not deleted:
        raise Http404
    forget()
    return HttpResponse(status=204)


def list_posts(request):
    form = Feed(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    feed = form.cleaned_data

    def read():
        posts = Post.objects.order_by("-id")
        if settings.PEERS:
            posts = posts.fetch_mode(models.FETCH_PEERS)
        elif settings.EAGER:
            posts = posts.select_related("author")
        if feed["author"] is not None:
            posts = posts.filter(author=feed["author"])
        return [post.to_json() for post in posts[: feed["limit"]]]

    posts, headers = kept(f"posts-{feed['limit']}-{feed['author']}", read)
    return JsonResponse(posts, safe=False, headers=headers)


def users_page(request):
    users = User.objects.order_by("id")[:20]
    return render(request, "users.html", {"users": users})


def visit(request):
    visits = request.session.get("visits", 0) + 1
    request.session["visits"] = visits
    return JsonResponse({"visits": visits})


def wait(request):
    form = Wait(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    ms = form.cleaned_data["ms"]
    time.sleep(ms / 1000)
    return JsonResponse({"waited_ms": ms})


def events(request):
    form = Pace(request.GET)
    if not form.is_valid():
        return JsonResponse({"detail": form.errors.get_json_data()}, status=422)
    return streamed(request, **form.cleaned_data)


def health(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return JsonResponse({"detail": "database is away"}, status=503)
    return JsonResponse({"status": "ok"})
