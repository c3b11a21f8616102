from flask import Blueprint, redirect, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

accounts = Blueprint("accounts", __name__)
passwords = {"admin": generate_password_hash("admin")}

FORM = """<!doctype html><title>Log in</title>
<form method="post">
<input name="username"><input name="password" type="password"><button>Log in</button>
</form>
"""


@accounts.get("/login")
def form():
    return FORM


@accounts.post("/login")
def login():
    name = request.form["username"]
    if name not in passwords or not check_password_hash(passwords[name], request.form["password"]):
        return FORM, 403
    session["name"] = name
    return redirect(url_for("accounts.me"))


@accounts.get("/me")
def me():
    if "name" not in session:
        return redirect(url_for("accounts.form"))
    return {"name": session["name"]}
