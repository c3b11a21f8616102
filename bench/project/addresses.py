"""Addresses of listening sockets, as people write them."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from bench.errors import UsageError


def address_of(text: str, *, option: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT or [IPv6]:PORT; raises UsageError that begins with *option*."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise UsageError(f"{option} {text}: write it as HOST:PORT, as in 127.0.0.1:5557")
    return host, int(port)


def address_of_url(url: str, *, option: str = "--target") -> tuple[str, int]:
    """Return host and port of http://HOST[:PORT]; raises UsageError that begins with *option*."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, 80 if parts.port is None else parts.port
    except ValueError as error:
        raise UsageError(f"{option} {url}: {error}: write it as http://HOST:PORT") from error
    if parts.scheme == "https":
        raise UsageError(
            f"{option} {url}: TLS is not supported: name the server behind it, as http://HOST:PORT"
        )
    if parts.scheme != "http" or not host or not port or parts.username is not None:
        raise UsageError(f"{option} {url}: write it as http://HOST:PORT")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"{option} {url}: only http://HOST:PORT; paths come from the scenarios")
    return host, port


def is_loopback(address: tuple[str, int]) -> bool:
    host, _ = address
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def format_address(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
