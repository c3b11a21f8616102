"""Servers of known arithmetic: what latency must be measured in front of them."""
