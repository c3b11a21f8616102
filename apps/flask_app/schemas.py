import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field
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


Digits = Annotated[int, BeforeValidator(refuse_all_but_digits)]


class Page(BaseModel):
    limit: Annotated[Digits, Field(ge=1, le=100)] = 20
    after: Annotated[Digits, Field(ge=0, le=BIGINT_MAX)] = 0


class UserIn(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+\z")]
    email: Annotated[str, Field(max_length=254, pattern=rf"^{EMAIL}\z")]
