import json
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import Depends, HTTPException, Path, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel, TypeAdapter
from starlette.convertors import Convertor, register_url_convertor

from settings import EARLY

BIGINT_MAX = 2**63 - 1
# What <input type="email"> takes: https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*"


class Id(Convertor):
    regex = "[0-9]{1,18}"  # one digit more could overflow a bigint

    def convert(self, value):
        return int(value)


register_url_convertor("id", Id())

UserId = Annotated[int, Path(alias="id")]


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


decoder = json.JSONDecoder(parse_constant=refuse_constant)


def parse(body):
    """Return the value of a JSON body in UTF-8; raises ValueError."""
    try:
        return decoder.decode(body.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def refuse_all_but_digits(value):
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):  # a default in FastAPI 0.115
        raise ValueError("must be decimal digits")
    return value


digits = BeforeValidator(refuse_all_but_digits)


class Page(BaseModel):
    # FastAPI 0.115 has the names of fields, not their aliases.
    model_config = ConfigDict(populate_by_name=not EARLY)

    limit: Annotated[int, Field(ge=1, le=100), digits] = 20
    after: Annotated[int, Field(ge=0, le=BIGINT_MAX), digits] = 0
    with_: Annotated[Literal["posts"] | None, Field(alias="with")] = None


class Feed(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100), digits] = 20
    author: Annotated[int, Field(ge=1, le=BIGINT_MAX), digits] | None = None


class Wait(BaseModel):
    ms: Annotated[int, Field(ge=0, le=1000), digits] = 50


class Pace(BaseModel):
    n: Annotated[int, Field(ge=1, le=100), digits] = 20
    every_ms: Annotated[int, Field(ge=0, le=100), digits] = 20


class UserIn(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
    email: Annotated[str, Field(max_length=254, pattern=rf"^{EMAIL}$")]


class UsersIn(RootModel):
    root: Annotated[list[UserIn], Field(min_length=1, max_length=100)]


async def read_json(request):
    try:
        return parse(await request.body())
    except ValueError as error:
        raise HTTPException(400, "malformed JSON") from error


async def read_user(request: Request):
    return UserIn.model_validate(await read_json(request))


async def read_users(request: Request):
    return UsersIn.model_validate(await read_json(request)).root


UserBody = Annotated[UserIn, Depends(read_user)]
UsersBody = Annotated[list[UserIn], Depends(read_users)]


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str


class TitleOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str


class UserWithPostsOut(UserOut):
    posts: list[TitleOut]


USERS_WITH_POSTS = TypeAdapter(list[UserWithPostsOut])


def with_posts(users):
    """Return them with their posts: a response made here, as the model of its route has none."""
    content = USERS_WITH_POSTS.dump_json(USERS_WITH_POSTS.validate_python(users))
    return Response(content, media_type="application/json")


class AuthorOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class PostOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    body: str
    author: AuthorOut


FEED = TypeAdapter(list[PostOut])


class VisitsOut(BaseModel):
    visits: int


class WaitOut(BaseModel):
    waited_ms: int


class Problem(BaseModel):
    detail: Any


def takes(model):
    """Document a body that a dependency reads."""
    schema = model.model_json_schema()
    for member in schema.pop("$defs", {}).values():  # a $ref would be looked up in the whole document
        schema["items"] = member
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def refuses(*statuses):
    """Document answers that are no success."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}
