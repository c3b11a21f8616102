"""`/docs` with its scripts served from here: as it comes, a browser fetches them from another host.

https://fastapi.tiangolo.com/how-to/custom-docs-ui-assets/
"""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

docs = APIRouter()
assets = StaticFiles(directory=str(files("fastapi_swagger") / "resources"))


@docs.get("/docs", include_in_schema=False)
async def page():
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Users and posts",
        swagger_js_url="/assets/swagger-ui-bundle.js",
        swagger_css_url="/assets/swagger-ui.css",
    )
