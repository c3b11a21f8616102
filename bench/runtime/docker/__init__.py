"""Containers of this machine's engine."""
