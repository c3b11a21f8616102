"""What the tag of an image stands for: all that its build can read."""

import pytest

from bench.errors import UsageError
from bench.runtime.docker.images import tag_of
from tests.runtime.test_environments import contender

OURS = """
ARG PYTHON=3.13
FROM python:${PYTHON}
ARG APP
COPY apps/${APP}/*.txt /tmp/
COPY apps/${APP} /apps/${APP}
"""


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "project" / "apps" / "tiny_app"
    (folder / ".hidden").mkdir(parents=True)
    for name in ("requirements.txt", "base.txt", ".env", ".hidden/x.py"):
        (folder / name).write_text("")
    root = folder.parents[1]
    (root / "libs" / "common").mkdir(parents=True)
    (root / "libs" / "common" / "lib.py").write_text("x = 1\n")
    (root / "README.md").write_text("words\n")
    (root / ".dockerignore").write_text(".git\n")
    return folder


def changes(app, dockerfile, name):
    """Return whether the tag changes with a file of the project."""
    root = app.parents[1]
    (root / "apps" / "Dockerfile").write_text(dockerfile)
    before = tag_of(contender(app))
    (root / name).write_text("changed\n")
    return tag_of(contender(app)) != before


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("apps/tiny_app/base.txt", True),
        ("apps/tiny_app/.env", True),
        ("apps/tiny_app/.hidden/x.py", True),
        (".dockerignore", True),
        ("libs/common/lib.py", False),
        ("README.md", False),
    ],
)
def test_of_our_dockerfile_it_is_the_app(app, name, counts):
    assert changes(app, OURS, name) is counts


@pytest.mark.parametrize(
    "copying",
    [
        "COPY libs /libs",
        "COPY --chown=1:1 ./libs/common/lib.py /libs/",
        "ADD libs/* /libs/",
        "ARG WHERE=libs\nCOPY $WHERE /libs",
        "COPY \\\n  libs \\\n  /libs",
        "COPY . /all",
        "COPY ./ /all",
        'COPY ["libs", "/libs"]',
        "COPY ${UNKNOWN} /all",
        "RUN --mount=type=bind,target=/src make",
    ],
)
def test_what_a_dockerfile_copies_from_beside_the_app_counts(app, copying):
    assert changes(app, f"{OURS}{copying}\n", "libs/common/lib.py")


@pytest.mark.parametrize("copying", ["COPY --from=build /libs /libs", "# COPY libs /libs"])
def test_what_it_copies_from_elsewhere_does_not(app, copying):
    assert not changes(app, f"{OURS}{copying}\n", "libs/common/lib.py")


def test_a_link_counts_by_where_it_leads(app):
    (app / "common").symlink_to("../../libs/common")
    (app.parent / "Dockerfile").write_text(OURS)
    before = tag_of(contender(app))
    (app / "common").unlink()
    (app / "common").symlink_to("../../libs")
    assert tag_of(contender(app)) != before


def test_an_app_that_is_a_link_counts_by_what_is_there(app):
    root = app.parents[1]
    (root / "services").mkdir()
    app.rename(root / "services" / "tiny")
    app.symlink_to("../services/tiny")
    assert changes(app, OURS, "services/tiny/base.txt")


@pytest.mark.parametrize("key", [{"folder": ""}, {"install": ("uv.lock",)}, {"groups": ("prod",)}])
def test_a_service_that_is_no_app_with_a_lock_names_the_runtime_that_it_needs(app, key):
    (app.parents[1] / "apps" / "Dockerfile").write_text(OURS)
    with pytest.raises(UsageError, match=r"^tiny: containers are built .*: use --runtime process$"):
        tag_of(contender(app, **key))


def test_another_lock_is_another_image_if_the_dockerfile_can_install_it(app):
    dockerfile = app.parent / "Dockerfile"
    dockerfile.write_text(OURS)
    with pytest.raises(UsageError, match=r"installs no other lock than requirements\.txt"):
        tag_of(contender(app, lock="base.txt"))
    dockerfile.write_text(OURS.replace("ARG APP\n", "ARG APP\nARG LOCK=requirements.txt\n"))
    assert tag_of(contender(app, lock="base.txt")) != tag_of(contender(app))
