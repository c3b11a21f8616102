"""Runs as small files that strangers send, and the static site made of them."""
