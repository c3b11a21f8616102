import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

KEY = os.environ["JWT_KEY"]
PASSWORDS = {"ann": "secret"}
engine = create_async_engine(os.environ["ORDERS_DATABASE"])
app = FastAPI()


class Login(BaseModel):
    username: str
    password: str


def customer(given: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        return jwt.decode(given.credentials, KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401) from error


@app.post("/token")
async def token(login: Login):
    if PASSWORDS.get(login.username) != login.password:
        raise HTTPException(401)
    until = datetime.now(UTC) + timedelta(hours=8)
    return {"access_token": jwt.encode({"sub": login.username, "exp": until}, KEY, "HS256")}


@app.get("/orders/{number}")
async def order(number: int, who: Annotated[str, Depends(customer)]):
    query = text("SELECT id, cents FROM orders WHERE id = :id AND customer = :who")
    async with engine.connect() as connection:
        found = (await connection.execute(query, {"id": number, "who": who})).one_or_none()
    if found is None:
        raise HTTPException(404)
    return {"id": found.id, "cents": found.cents}


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}
