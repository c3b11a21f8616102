"""What the feed of posts has shown, kept in a cache and never older than the last write that shows in it.

A reader takes the version before it asks the database, and keeps what it read together with that version; a
writer sets another one once it has committed. What was read before is then of a version that is no more.
"""

import logging
from contextlib import suppress
from secrets import token_hex
from urllib.parse import urlsplit

from aiocache import MemcachedCache, RedisCache
from aiocache.serializers import PickleSerializer
from aiomcache import ClientException
from redis import RedisError

import settings
from schemas import FEED

VERSION = "version"
KEPT_S = 60
DOWN = (OSError, RedisError, ClientException, TimeoutError)
HIT, MISS, BYPASS = (
    {"Cache-Status": f"posts; {how}"} for how in ("hit", "fwd=miss", "fwd=bypass")
)  # RFC 9211
logger = logging.getLogger("uvicorn.error")

if settings.CACHE == "redis":
    address = urlsplit(settings.VALKEY_URL)
    cache = RedisCache(PickleSerializer(), endpoint=address.hostname, port=address.port)
elif settings.CACHE == "memcached":
    address = urlsplit(f"//{settings.MEMCACHED_ADDRESS}")
    cache = MemcachedCache(PickleSerializer(), endpoint=address.hostname, port=address.port, pool_size=16)


async def kept(key, read):
    """Return what *read* returns, or has returned since the last write, and the headers that say which."""
    if not settings.CACHE:
        return await read(), {}
    try:
        version, found = await cache.multi_get([VERSION, key])
        version = version or await set_version(cache.add)
    except DOWN as error:
        logger.error("no cache, served without: %s", error)
        return await read(), BYPASS
    kept_version, value = found or (None, None)
    if kept_version == version:
        return value, HIT
    value = await read()
    try:
        await cache.set(key, (version, FEED.dump_python(FEED.validate_python(value))), KEPT_S)
    except DOWN as error:
        logger.error("no cache, served without: %s", error)
        return value, BYPASS
    return value, MISS


async def forget():
    """Use nothing of what was kept until now again; for a write that has been committed."""
    if settings.CACHE:
        try:
            await set_version(cache.set)
        except DOWN as error:
            logger.error("no cache, written without: %s", error)


async def set_version(write):
    version = token_hex(8)
    with suppress(ValueError):  # somebody else was first: nobody will ask for ours
        await write(VERSION, version)
    return version
