"""The processes that send requests. Only these modules import Locust and gevent."""
