from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends
from sqlalchemy import NullPool, make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from settings import DATABASE_URL, DB_DRIVER, EARLY, POOL, POOL_SIZE

pooling = {"pool_size": POOL_SIZE, "max_overflow": 0} if POOL else {"poolclass": NullPool}
engine = create_async_engine(make_url(DATABASE_URL).set(drivername=f"postgresql+{DB_DRIVER}"), **pooling)

new_session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session():
    async with new_session() as session:
        yield session


# Closed before the response is sent: its connection is free again while the client reads.
SessionDep = Annotated[AsyncSession, Depends(get_session, **EARLY)]


async def open_pool():
    """Connect as often as the pool may: SQLAlchemy would do so under the first requests."""
    async with AsyncExitStack() as stack:
        for _ in range(POOL_SIZE):
            await stack.enter_async_context(engine.connect())


async def close_pool():
    await engine.dispose()
