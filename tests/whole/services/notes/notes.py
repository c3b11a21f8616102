import os
import sqlite3

from flask import Flask, g, jsonify

app = Flask(__name__)


def database():
    if "db" not in g:
        g.db = sqlite3.connect(os.environ["NOTES_DB"])
    return g.db


@app.teardown_appcontext
def close(_):
    if "db" in g:
        g.pop("db").close()


@app.cli.command("init-db")
def init_db():
    db = database()
    db.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    db.executemany("INSERT INTO note (text) VALUES (?)", [(f"note {n}",) for n in range(1, 101)])
    db.commit()


@app.get("/notes/<int:number>")
def note(number):
    found = database().execute("SELECT id, text FROM note WHERE id = ?", (number,)).fetchone()
    return jsonify(id=found[0], text=found[1])


@app.get("/notes")
def notes():
    rows = database().execute("SELECT id, text FROM note ORDER BY id LIMIT 20").fetchall()
    return jsonify([{"id": number, "text": text} for number, text in rows])


@app.get("/up")
def up():
    return ""
