"""What the feed of posts has shown, kept in a cache and never older than the last write that shows in it.

A reader takes the version before it asks the database, and keeps what it read together with that version; a
writer sets another one once it has committed. What was read before is then of a version that is no more.
"""

import logging
from secrets import token_hex

from cachelib import MemcachedCache, RedisCache
from pymemcache import MemcacheError, PooledClient
from pymemcache.serde import pickle_serde
from redis import Redis, RedisError

import settings

VERSION = "version"
KEPT_S, FOR_EVER = 60, 0
DOWN = (OSError, RedisError, MemcacheError)
HIT, MISS, BYPASS = (
    {"Cache-Status": f"posts; {how}"} for how in ("hit", "fwd=miss", "fwd=bypass")
)  # RFC 9211
logger = logging.getLogger("cache")

if settings.CACHE == "redis":
    cache = RedisCache(Redis.from_url(settings.VALKEY_URL))
elif settings.CACHE == "memcached":
    # With replies: without, a writer would answer before its version is there.
    client = PooledClient(settings.MEMCACHED_ADDRESS, serde=pickle_serde, default_noreply=False)
    cache = MemcachedCache(client)


def kept(key, read):
    """Return what *read* returns, or has returned since the last write, and the headers that say which."""
    if not settings.CACHE:
        return read(), {}
    try:
        version, found = cache.get_many(VERSION, key)
        version = version or set_version(cache.add)
    except DOWN as error:
        logger.error("no cache, served without: %s", error)
        return read(), BYPASS
    kept_version, value = found or (None, None)
    if kept_version == version:
        return value, HIT
    value = read()
    try:
        cache.set(key, (version, value), KEPT_S)
    except DOWN as error:
        logger.error("no cache, served without: %s", error)
        return value, BYPASS
    return value, MISS


def forget():
    """Use nothing of what was kept until now again; for a write that has been committed."""
    if settings.CACHE:
        try:
            set_version(cache.set)
        except DOWN as error:
            logger.error("no cache, written without: %s", error)


def set_version(write):
    version = token_hex(8)
    write(VERSION, version, FOR_EVER)
    return version
