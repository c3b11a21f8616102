import pytest

from bench.runtime.children import telling_line

RAISED = 'Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: gevent is too old\n'


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (RAISED, "RuntimeError: gevent is too old"),
        (f"Error: class uri invalid:\n\n[{RAISED}]\n", "RuntimeError: gevent is too old"),  # gunicorn's
        ("starting\nERROR: no such table\nbye\n", "ERROR: no such table"),
        ("starting\nbye\n\n", "bye"),
        ("", "its log is empty"),
    ],
)
def test_the_line_that_shows_most_is_an_exception_s(log, line):
    assert telling_line(log) == line
