"""Decodes bodies by their Content-Encoding (RFC 9110 §8.4): gzip and deflate, br and zstd where installed."""

import importlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

LARGEST_BYTES = 64 << 20  # of a decoded body: a few kilobytes may decode to gigabytes

_PIECE_BYTES = 8_192  # what follows a member is copied each time: not the whole rest

_Bytes = TypeVar("_Bytes", bytes, bytearray)
Decode = Callable[[bytes], bytes]


class Undecodable(Exception):
    """A body that does not match its Content-Encoding, or whose encoding is not supported here."""


def decoded(body: bytes, encoding: str) -> bytes:
    """Return *body* without *encoding*, a Content-Encoding in lower case. Raises Undecodable."""
    for coding in reversed([part.strip() for part in encoding.split(",")]):
        if coding in ("", "identity") or not body:
            continue
        decode = _decoders().get(coding)
        if decode is None:
            known = ", ".join(sorted(_decoders()))
            raise Undecodable(f"Content-Encoding {coding!r} is not known here: {known} are{_missing(coding)}")
        try:
            body = decode(body)
        except Undecodable:
            raise
        except Exception as error:
            raise Undecodable(f"the body is not the {coding} that its Content-Encoding names") from error
    return body


def readable(body: bytes, encoding: str) -> bytes:
    """Return *body* decoded, or as it came where that is impossible."""
    try:
        return decoded(body, encoding)
    except Undecodable:
        return body


def _missing(coding: str) -> str:
    module = {"br": "brotli", "zstd": "zstandard"}.get(coding)
    return f"; install {module} beside bench" if module else ""


@cache
def _decoders() -> Mapping[str, Decode]:
    known: dict[str, Decode] = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate}
    if (brotli := _module("brotli") or _module("brotlicffi")) and hasattr(brotli, "Decompressor"):
        known["br"] = lambda body: _brotli(brotli, body)
    if zstd := _module("zstandard"):
        known["zstd"] = lambda body: _bounded(_joined(zstd.ZstdDecompressor().read_to_iter(body)))
    elif zstd := _module("compression.zstd"):
        known["zstd"] = lambda body: _bounded(zstd.ZstdDecompressor().decompress(body, LARGEST_BYTES + 1))
    return known


def _gzip(body: bytes) -> bytes:
    whole, at = bytearray(), 0
    while at < len(body):  # members follow each other
        inflate = zlib.decompressobj(wbits=31)
        while not inflate.eof:
            piece = body[at : at + _PIECE_BYTES]
            if not piece:
                raise Undecodable("the body is gzip that ends too soon")
            whole += inflate.decompress(piece, LARGEST_BYTES + 1 - len(whole))
            _bounded(whole)
            at += len(piece) - len(inflate.unused_data)
    return bytes(whole)


def _deflate(body: bytes) -> bytes:
    try:
        inflate = zlib.decompressobj()
        whole = _bounded(inflate.decompress(body, LARGEST_BYTES + 1))
    except zlib.error:  # without zlib's wrapping, as some servers send it
        inflate = zlib.decompressobj(wbits=-15)
        whole = _bounded(inflate.decompress(body, LARGEST_BYTES + 1))
    if not inflate.eof:
        raise Undecodable("the body is deflate that ends too soon")
    return whole


def _brotli(brotli: Any, body: bytes) -> bytes:
    decompressor = brotli.Decompressor()
    whole = bytearray()
    for at in range(0, len(body), 1_024):  # older versions have no output limit: feed a little at a time
        whole += decompressor.process(body[at : at + 1_024])
        _bounded(whole)
    if not decompressor.is_finished():
        raise Undecodable("the body is br that ends too soon")
    return bytes(whole)


def _joined(pieces: Any) -> bytes:
    whole = bytearray()
    for piece in pieces:
        whole += piece
        _bounded(whole)
    return bytes(whole)


def _bounded(whole: _Bytes) -> _Bytes:
    if len(whole) > LARGEST_BYTES:
        raise Undecodable(f"the body is over {LARGEST_BYTES >> 20} MB once decoded")
    return whole


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
