"""JSON by orjson, where settings ask for it."""

import orjson
from django.conf import settings
from django.http import HttpResponse
from django.http import JsonResponse as DjangoJson


class OrjsonResponse(HttpResponse):
    def __init__(self, data, safe=True, **kwargs):
        # default: what translation makes lazy
        super().__init__(orjson.dumps(data, default=str), content_type="application/json", **kwargs)


JsonResponse = OrjsonResponse if settings.SERIALIZER == "orjson" else DjangoJson
