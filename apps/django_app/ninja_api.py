"""The API of `django-ninja`: bodies and refusals as the contract has them."""

from ninja import NinjaAPI
from ninja.errors import ValidationError
from ninja.parser import Parser

from schemas import parse


class Strict(Parser):
    def parse_body(self, request):
        return parse(request.body)


api = NinjaAPI(title="Users and posts", parser=Strict())


@api.exception_handler(ValidationError)
def refuse_invalid(request, error):
    if request.method in ("POST", "PUT") and not request.body:  # to Ninja a field that is missing
        return api.create_response(request, {"detail": "malformed JSON"}, status=400)
    detail = [{"loc": item["loc"], "msg": item["msg"]} for item in error.errors]
    return api.create_response(request, {"detail": detail}, status=422)
