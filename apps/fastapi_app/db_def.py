from contextlib import ExitStack
from typing import Annotated

from fastapi import Depends
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from settings import DATABASE_URL, EARLY, POOL, POOL_SIZE

pooling = {"pool_size": POOL_SIZE, "max_overflow": 0} if POOL else {"poolclass": NullPool}
engine = create_engine(make_url(DATABASE_URL).set(drivername="postgresql+psycopg"), **pooling)

new_session = sessionmaker(engine, expire_on_commit=False)


def get_session():
    with new_session() as session:
        yield session


# Closed before the response is sent: its connection is free again while the client reads.
SessionDep = Annotated[Session, Depends(get_session, **EARLY)]


async def open_pool():
    """Connect as often as the pool may: SQLAlchemy would do so under the first requests."""
    with ExitStack() as stack:
        for _ in range(POOL_SIZE):
            stack.enter_context(engine.connect())


async def close_pool():
    engine.dispose()
