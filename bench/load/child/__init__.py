"""The processes that request: all that imports Locust and gevent."""
