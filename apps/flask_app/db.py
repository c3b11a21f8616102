from contextlib import ExitStack

from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker

from settings import DATABASE_URL, POOL, POOL_SIZE

pooling = {"pool_size": POOL_SIZE, "max_overflow": 0} if POOL else {"poolclass": NullPool}
engine = create_engine(make_url(DATABASE_URL).set(drivername="postgresql+psycopg"), **pooling)

session = scoped_session(sessionmaker(engine, expire_on_commit=False))


def open_pool():
    """Connect as often as the pool may: SQLAlchemy would do so under the first requests."""
    with ExitStack() as stack:
        for _ in range(POOL_SIZE):
            stack.enter_context(engine.connect())
