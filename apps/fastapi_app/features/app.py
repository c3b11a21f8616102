from app import app
from features.accounts import accounts
from features.docs import assets, docs

app.router.routes[:0] = docs.routes  # before the page that comes with FastAPI
app.include_router(accounts)
app.mount("/assets", assets)
