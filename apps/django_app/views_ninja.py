import time

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error, IntegrityError, connection, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.decorators import decorator_from_middleware
from ninja import Body, Query, Status
from ninja.decorators import decorate_view
from ninja.errors import HttpError

from cache import forget, kept
from models import Post, User
from ninja_api import api
from schemas_ninja import USERS_WITH_POSTS, Feed, Pace, Page, PostOut, UserIn, UserOut, Wait
from ticks import streamed


@api.get("/")
def hello(request):
    return {"message": "Hello, World!"}


@api.get("/users", response=list[UserOut])
def list_users(request, page: Query[Page]):
    users = User.objects.filter(id__gt=page.after).order_by("id")
    if page.with_ is None:
        return users[: page.limit]
    if settings.EAGER:
        users = users.prefetch_related("posts")
    content = USERS_WITH_POSTS.dump_json(USERS_WITH_POSTS.validate_python(list(users[: page.limit])))
    return HttpResponse(content, content_type="application/json")


@api.post("/users/batch", response={201: list[UserOut]})
def create_users_batch(request, data: list[UserIn] = Body(min_length=1, max_length=100)):  # noqa: B008
    users = [User(**member.dict()) for member in data]
    try:
        if settings.BATCH:
            User.objects.bulk_create(users)
        else:
            with transaction.atomic():
                for user in users:
                    user.save()
    except IntegrityError:
        raise HttpError(409, "an e-mail is taken") from None
    return Status(201, users)


@api.post("/users", response={201: UserOut})
def create_user(request, data: UserIn, response: HttpResponse):
    try:
        user = User.objects.create(**data.dict())
    except IntegrityError:
        raise HttpError(409, "e-mail is taken") from None
    response["Location"] = f"/users/{user.id}"
    return Status(201, user)


@api.get("/users/{id:user_id}", response=UserOut)
def retrieve_user(request, user_id: int):
    return get_object_or_404(User, id=user_id)


@api.put("/users/{id:user_id}", response=UserOut)
def update_user(request, user_id: int, data: UserIn):
    try:
        updated = User.objects.filter(id=user_id).update(**data.dict())
    except IntegrityError:
        raise HttpError(409, "e-mail is taken") from None
    if not updated:
        raise Http404
    forget()
    return User(id=user_id, **data.dict())


@api.delete("/users/{id:user_id}", response={204: None})
def delete_user(request, user_id: int):
    deleted, _ = User.objects.filter(id=user_id).delete()
    if not deleted:
        raise Http404
    forget()
    return Status(204, None)


@api.get("/posts", response=list[PostOut])
def list_posts(request, feed: Query[Feed], response: HttpResponse):
    def read():
        posts = Post.objects.order_by("-id")
        if settings.EAGER:
            posts = posts.select_related("author")
        if feed.author is not None:
            posts = posts.filter(author=feed.author)
        return list(posts[: feed.limit])

    posts, headers = kept(f"posts-{feed.limit}-{feed.author}", read)
    for name, value in headers.items():
        response[name] = value
    return posts


@api.get("/users/page")
def users_page(request):
    users = User.objects.order_by("id")[:20]
    return render(request, "users.html", {"users": users})


@api.get("/session")
@decorate_view(decorator_from_middleware(SessionMiddleware))
def visit(request):
    visits = request.session.get("visits", 0) + 1
    request.session["visits"] = visits
    return {"visits": visits}


@api.get("/wait")
def wait(request, query: Query[Wait]):
    time.sleep(query.ms / 1000)
    return {"waited_ms": query.ms}


@api.get("/events")
def events(request, pace: Query[Pace]):
    return streamed(request, pace.n, pace.every_ms)


@api.get("/health")
def health(request):
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        raise HttpError(503, "database is away") from None
    return {"status": "ok"}
