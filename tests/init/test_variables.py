import pytest

from bench.init.checkout import checkout
from bench.init.variables import variables


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('import os\nKEY = os.environ["KEY"]\nLEVEL = os.environ.get("LEVEL", "1")\n', ["KEY", "LEVEL"]),
        ('from os import environ\nKEY = environ["KEY"]\n', ["KEY"]),
        (
            'def app(environ, start):\n    return environ["HTTP_HOST"], environ.get("SERVER_PORT")\n',
            [],
        ),  # WSGI
    ],
)
def test_the_environment_is_the_processs_not_a_requests(tmp_path, text, names):
    (tmp_path / "app.py").write_text(text)
    assert list(variables(checkout(tmp_path), "")) == names
