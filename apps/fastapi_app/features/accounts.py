from secrets import compare_digest
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials

accounts = APIRouter()
passwords = {"admin": "admin"}
basic = HTTPBasic()


def account(credentials: Annotated[HTTPBasicCredentials, Depends(basic)]):
    password = passwords.get(credentials.username, "")
    if not password or not compare_digest(password.encode(), credentials.password.encode()):
        raise HTTPException(401, headers={"WWW-Authenticate": "Basic"})
    return credentials.username


@accounts.get("/me")
async def me(name: Annotated[str, Depends(account)]):
    return {"name": name}
