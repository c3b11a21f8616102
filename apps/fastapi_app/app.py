from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from db import engine, open_pool
from views import views


@asynccontextmanager
async def lifespan(app):
    await open_pool()
    yield
    await engine.dispose()


# Not include_router: in FastAPI 0.165 it matches a path twice, which costs hello 10 %.
app = FastAPI(routes=views.routes, lifespan=lifespan, openapi_url=None, redirect_slashes=False)


@app.exception_handler(RequestValidationError)  # of the query
@app.exception_handler(ValidationError)  # of the body
async def refuse_invalid(request, error):
    detail = [{"loc": item["loc"], "msg": item["msg"]} for item in error.errors()]
    return JSONResponse({"detail": detail}, 422)


@app.exception_handler(500)
async def refuse(request, error):
    return JSONResponse({"detail": "Internal Server Error"}, 500)
