import pytest

from bench.errors import UsageError
from bench.project.addresses import address_of, address_of_url, format_address, is_loopback


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5557", ("127.0.0.1", 5557)),
        ("[::1]:80", ("::1", 80)),
        ("bench.local:1", ("bench.local", 1)),
    ],
)
def test_an_address_is_read_and_spoken(text, address):
    assert address_of(text, option="--master") == address
    assert format_address(address) == text


@pytest.mark.parametrize("text", ["", "host", "host:", ":80", "host:0", "host:65536", "host:port", "host:-1"])
def test_a_wrong_address_is_refused_with_its_option_and_an_example(text):
    with pytest.raises(UsageError, match=r"^--load-bind .*write it as HOST:PORT, as in 127\.0\.0\.1:5557"):
        address_of(text, option="--load-bind")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("http://api.local/", ("api.local", 80)),
        ("http://[::1]:9", ("::1", 9)),
    ],
)
def test_a_url_names_a_server(url, address):
    assert address_of_url(url) == address


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("https://127.0.0.1", "TLS is not supported"),
        ("127.0.0.1:8000", "write it as http://HOST:PORT"),
        ("http://", "write it as http://HOST:PORT"),
        ("http://host:port", "write it as http://HOST:PORT"),
        ("http://me@host", "write it as http://HOST:PORT"),
        ("http://host/api", "paths come from the scenarios"),
        ("http://host?x=1", "paths come from the scenarios"),
    ],
)
def test_a_wrong_url_is_refused_with_the_remedy(url, remedy):
    with pytest.raises(UsageError, match=remedy):
        address_of_url(url)


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("bench.local", False)],
)
def test_loopback_is_told_from_what_others_can_reach(host, only_here):
    assert is_loopback((host, 80)) is only_here
