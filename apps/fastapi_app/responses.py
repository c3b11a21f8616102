"""How routes make their responses: `APIRouter(**ROUTES)`."""

from hashlib import sha1

import orjson
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.responses import Response

import settings


class Orjson(JSONResponse):
    def render(self, content):
        return orjson.dumps(content)


class Revalidated(APIRoute):
    def get_route_handler(self):
        answer = super().get_route_handler()

        async def handler(request):
            response = await answer(request)
            if request.method != "GET" or response.status_code != 200 or not hasattr(response, "body"):
                return response
            etag = f'"{sha1(response.body).hexdigest()}"'
            headers = {"ETag": etag, "Cache-Control": "no-cache"}
            known = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
            if etag in known or "*" in known:
                return Response(status_code=304, headers=headers)
            response.headers.update(headers)
            return response

        return handler


ROUTES = {"generate_unique_id_function": lambda route: route.name}
if settings.HTTP_CACHE:
    ROUTES["route_class"] = Revalidated
if settings.SERIALIZER == "orjson":
    ROUTES["default_response_class"] = Orjson
