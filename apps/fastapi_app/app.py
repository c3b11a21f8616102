from contextlib import asynccontextmanager
from importlib import import_module

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

import settings

db = import_module(settings.DB)
views = import_module(settings.VIEWS).views


@asynccontextmanager
async def lifespan(app):
    await db.open_pool()
    yield
    await db.close_pool()


# Not include_router: in FastAPI 0.165 it matches a path twice, which costs hello 10 %.
app = FastAPI(
    title="Users and posts",
    routes=views.routes,
    lifespan=lifespan,
    redirect_slashes=False,
)


@app.exception_handler(HTTPException)
async def refuse(request, error):
    await request.body()  # granian closes a connection with an unread body
    return await http_exception_handler(request, error)


@app.exception_handler(RequestValidationError)  # of the query
@app.exception_handler(ValidationError)  # of the body
async def refuse_invalid(request, error):
    detail = [{"loc": item["loc"], "msg": item["msg"]} for item in error.errors()]
    return JSONResponse({"detail": detail}, 422)


@app.exception_handler(500)
async def fail(request, error):
    return JSONResponse({"detail": "Internal Server Error"}, 500)
