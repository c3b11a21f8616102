import json
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, RootModel
from werkzeug.routing import BaseConverter

BIGINT_MAX = 2**63 - 1
# What <input type="email"> takes: https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*"


class Id(BaseConverter):
    regex = "[0-9]{1,18}"  # one digit more could overflow a bigint

    def to_python(self, value):
        return int(value)


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
    if not (value.isascii() and value.isdecimal()):
        raise ValueError("must be decimal digits")
    return value


digits = BeforeValidator(refuse_all_but_digits)


class Page(BaseModel):
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
