import json

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.core.validators import RegexValidator

BIGINT_MAX = 2**63 - 1
# What <input type="email"> takes: https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{LABEL}(?:\.{LABEL})*"


class Id:
    regex = "[0-9]{1,18}"  # one digit more could overflow a bigint

    def to_python(self, value):
        return int(value)

    def to_url(self, value):
        return str(value)


def refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


decoder = json.JSONDecoder(parse_constant=refuse_constant)


def parse(body):
    """Return the value of a JSON body in UTF-8; raises BadRequest."""
    try:
        return decoder.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise BadRequest("malformed JSON") from error


class Digits(forms.IntegerField):
    def to_python(self, value):
        if value is None:
            return self.initial
        if not (value.isascii() and value.isdecimal()):
            raise ValidationError("Enter decimal digits.")
        return super().to_python(value)


class Text(forms.CharField):
    def to_python(self, value):
        if not isinstance(value, str | None):
            raise ValidationError("Enter a string.")
        return super().to_python(value)


class With(forms.Field):
    def to_python(self, value):
        if value not in (None, "posts"):
            raise ValidationError("Enter posts.")
        return value


class Page(forms.Form):
    limit = Digits(initial=20, min_value=1, max_value=100)
    after = Digits(initial=0, min_value=0, max_value=BIGINT_MAX)


Page.base_fields["with"] = With(required=False)  # a word of Python's own


class Feed(forms.Form):
    limit = Digits(initial=20, min_value=1, max_value=100)
    author = Digits(min_value=1, max_value=BIGINT_MAX, required=False)


class Wait(forms.Form):
    ms = Digits(initial=50, min_value=0, max_value=1000)


class Pace(forms.Form):
    n = Digits(initial=20, min_value=1, max_value=100)
    every_ms = Digits(initial=20, min_value=0, max_value=100)


class UserIn(forms.Form):
    name = Text(max_length=100, strip=False, validators=[RegexValidator(r"^[^\ud800-\udfff]+\Z")])
    email = Text(max_length=254, strip=False, validators=[RegexValidator(rf"^{EMAIL}\Z")])

    def __init__(self, data):
        super().__init__(data if isinstance(data, dict) else {})  # nothing else has fields


class Users(forms.Field):
    def to_python(self, value):
        if not isinstance(value, list) or not 1 <= len(value) <= 100:
            raise ValidationError("Enter a list of 1 to 100 users.")
        members = [UserIn(member) for member in value]
        broken = [member.errors.as_json() for member in members if not member.is_valid()]
        if broken:
            raise ValidationError(broken)
        return [member.cleaned_data for member in members]


class UsersIn(forms.Form):
    users = Users()

    def __init__(self, data):
        super().__init__({"users": data})
