import secrets

from app import StrictJSON, app
from features.accounts import accounts
from features.waiting import waiting


class SessionJSON(StrictJSON):
    def loads(self, s, **kwargs):
        return super().loads(s.encode() if isinstance(s, str) else s, **kwargs)  # a cookie is text


app.json = SessionJSON(app)
app.secret_key = secrets.token_bytes()
app.register_blueprint(accounts)
app.register_blueprint(waiting)
