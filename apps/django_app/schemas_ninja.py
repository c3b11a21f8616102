from typing import Annotated, Literal

from ninja import Field, Schema
from pydantic import BeforeValidator, TypeAdapter

from schemas import BIGINT_MAX, EMAIL


def refuse_all_but_digits(value):
    if not (value.isascii() and value.isdecimal()):
        raise ValueError("must be decimal digits")
    return value


digits = BeforeValidator(refuse_all_but_digits)


class Page(Schema):
    limit: Annotated[int, Field(ge=1, le=100), digits] = 20
    after: Annotated[int, Field(ge=0, le=BIGINT_MAX), digits] = 0
    with_: Annotated[Literal["posts"] | None, Field(alias="with")] = None


class Feed(Schema):
    limit: Annotated[int, Field(ge=1, le=100), digits] = 20
    author: Annotated[int, Field(ge=1, le=BIGINT_MAX), digits] | None = None


class Wait(Schema):
    ms: Annotated[int, Field(ge=0, le=1000), digits] = 50


class Pace(Schema):
    n: Annotated[int, Field(ge=1, le=100), digits] = 20
    every_ms: Annotated[int, Field(ge=0, le=100), digits] = 20


class UserIn(Schema):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
    email: Annotated[str, Field(max_length=254, pattern=rf"^{EMAIL}$")]


class UserOut(Schema):
    id: int
    name: str
    email: str


class TitleOut(Schema):
    id: int
    title: str


class UserWithPostsOut(UserOut):
    posts: list[TitleOut]


USERS_WITH_POSTS = TypeAdapter(list[UserWithPostsOut])


class AuthorOut(Schema):
    id: int
    name: str


class PostOut(Schema):
    id: int
    title: str
    body: str
    author: AuthorOut
