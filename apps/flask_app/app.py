from importlib import import_module

import orjson
from flask import Flask, request
from flask.json.provider import DefaultJSONProvider
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

import settings
from db import open_pool, session
from schemas import Id, parse
from sessions import sessions

views = import_module(settings.VIEWS).views


class StrictJSON(DefaultJSONProvider):
    def loads(self, s, **kwargs):
        return parse(s)


class Orjson(StrictJSON):
    def dumps(self, obj, **kwargs):
        return orjson.dumps(obj, default=self.default).decode()


app = Flask(__name__, static_folder=None)
app.json = Orjson(app) if settings.SERIALIZER == "orjson" else StrictJSON(app)
app.session_interface = sessions
app.url_map.merge_slashes = False  # no redirects
app.url_map.converters["id"] = Id
app.register_blueprint(views)


@app.errorhandler(HTTPException)
def refuse(error):
    request.get_data()  # granian closes a connection with an unread body
    response = error.get_response()
    response.data = app.json.dumps({"detail": error.description})
    response.content_type = "application/json"
    return response


@app.errorhandler(ValidationError)
def refuse_invalid(error):
    return {"detail": error.errors(include_url=False, include_context=False, include_input=False)}, 422


def revalidate(response):
    if request.method == "GET" and response.status_code == 200 and not response.is_streamed:
        response.cache_control.no_cache = True
        response.add_etag()
        response.make_conditional(request)
    return response


if settings.HTTP_CACHE:
    app.after_request(revalidate)


@app.teardown_appcontext
def end_session(error):
    session.remove()


open_pool()  # gunicorn imports this in each worker, after the fork
