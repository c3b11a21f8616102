import time

from django.conf import settings
from django.db import Error, IntegrityError, connection, models, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, render
from rest_framework.decorators import api_view
from rest_framework.response import Response

from cache import forget, kept
from models import Post, User
from schemas import parse
from serializers import (
    FeedSerializer,
    PaceSerializer,
    PageSerializer,
    PostSerializer,
    UserSerializer,
    UserWithPostsSerializer,
    WaitSerializer,
)
from ticks import streamed


@api_view(["GET"])
def hello(request):
    return Response({"message": "Hello, World!"})


@api_view(["GET"])
def list_users(request):
    form = PageSerializer(data=request.query_params.dict())
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    page = form.validated_data
    users = User.objects.filter(id__gt=page["after"]).order_by("id")
    if not page["with"]:
        return Response(UserSerializer(users[: page["limit"]], many=True).data)
    if settings.EAGER:
        users = users.prefetch_related("posts")
    return Response(UserWithPostsSerializer(users[: page["limit"]], many=True).data)


@api_view(["POST"])
def create_users_batch(request):
    form = UserSerializer(data=parse(request.body), many=True, allow_empty=False, max_length=100)
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    data = form.validated_data
    users = [User(**member) for member in data]
    try:
        if settings.BATCH:
            User.objects.bulk_create(users)
        else:
            with transaction.atomic():
                for user in users:
                    user.save()
    except IntegrityError:
        return Response({"detail": "an e-mail is taken"}, status=409)
    return Response(UserSerializer(users, many=True).data, status=201)


@api_view(["POST"])
def create_user(request):
    form = UserSerializer(data=parse(request.body))
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    data = form.validated_data
    try:
        user = User.objects.create(**data)
    except IntegrityError:
        return Response({"detail": "e-mail is taken"}, status=409)
    return Response(UserSerializer(user).data, status=201, headers={"Location": f"/users/{user.id}"})


@api_view(["GET"])
def retrieve_user(request, user_id):
    user = get_object_or_404(User, id=user_id)
    return Response(UserSerializer(user).data)


@api_view(["PUT"])
def update_user(request, user_id):
    form = UserSerializer(data=parse(request.body))
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    data = form.validated_data
    try:
        updated = User.objects.filter(id=user_id).update(**data)
    except IntegrityError:
        return Response({"detail": "e-mail is taken"}, status=409)
    if not updated:
        raise Http404
    forget()
    user = User(id=user_id, **data)
    return Response(UserSerializer(user).data)


@api_view(["DELETE"])
def delete_user(request, user_id):
    deleted, _ = User.objects.filter(id=user_id).delete()
    if not deleted:
        raise Http404
    forget()
    return Response(status=204)


@api_view(["GET"])
def list_posts(request):
    form = FeedSerializer(data=request.query_params.dict())
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    feed = form.validated_data

    def read():
        posts = Post.objects.order_by("-id")
        if settings.PEERS:
            posts = posts.fetch_mode(models.FETCH_PEERS)
        elif settings.EAGER:
            posts = posts.select_related("author")
        if feed["author"] is not None:
            posts = posts.filter(author=feed["author"])
        return PostSerializer(posts[: feed["limit"]], many=True).data

    posts, headers = kept(f"posts-{feed['limit']}-{feed['author']}", read)
    return Response(posts, headers=headers)


@api_view(["GET"])
def users_page(request):
    users = User.objects.order_by("id")[:20]
    return render(request, "users.html", {"users": users})


@api_view(["GET"])
def visit(request):
    visits = request.session.get("visits", 0) + 1
    request.session["visits"] = visits
    return Response({"visits": visits})


@api_view(["GET"])
def wait(request):
    form = WaitSerializer(data=request.query_params.dict())
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    ms = form.validated_data["ms"]
    time.sleep(ms / 1000)
    return Response({"waited_ms": ms})


@api_view(["GET"])
def events(request):
    form = PaceSerializer(data=request.query_params.dict())
    if not form.is_valid():
        return Response({"detail": form.errors}, status=422)
    return streamed(request._request, **form.validated_data)


@api_view(["GET"])
def health(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return Response({"detail": "database is away"}, status=503)
    return Response({"status": "ok"})
