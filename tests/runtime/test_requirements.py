"""What a lock is made of, and what keeps it from being one: no environment is made here."""

import pytest

from bench.errors import CannotMeasure, UsageError
from bench.runtime.requirements import advice, read_lock
from tests.runtime.test_environments import contender

PINNED = "tiny==1.5 --hash=sha256:00\n"


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "project" / "apps" / "tiny_app"
    folder.mkdir(parents=True)
    return folder


def lock(app, text=None, **files):
    if text is not None:
        (app / "requirements.txt").write_text(text)
    return read_lock(contender(app))


@pytest.mark.parametrize(
    "line",
    [
        "-r base.txt",
        "-rbase.txt",
        "--requirement=base.txt",
        "--requirement base.txt",
        "-c base.txt",
        "--constraint = base.txt",
        "  -r   base.txt  # with a comment",
        "-r \\\n  base.txt",
        "-r ../../locks/deep/base.txt",
        "-r nested.txt",
        "-r ./base.txt\r",
    ],
)
def test_what_a_lock_includes_is_part_of_it(app, line):
    (app.parents[1] / "locks" / "deep").mkdir(parents=True)
    (app / "nested.txt").write_text("--requirement=base.txt\n")
    every = [app / "base.txt", app.parents[1] / "locks" / "deep" / "base.txt"]
    for file in every:
        file.write_text(PINNED)
    before = lock(app, f"{line}\n")
    for file in every:
        file.write_text(PINNED.replace("1.5", "1.6"))
    after = lock(app)
    assert before.content != after.content
    assert before.needs_packages


def test_a_comment_that_names_a_file_includes_nothing(app):
    (app / "base.txt").write_text(PINNED)
    before = lock(app, "# -r base.txt\n")
    (app / "base.txt").write_text("")
    assert lock(app).content == before.content
    assert not before.needs_packages


def test_files_that_include_each_other_are_read_once(app):
    (app / "base.txt").write_text(f"-r requirements.txt\n{PINNED}")
    assert len(lock(app, "-r base.txt\n").texts) == 2


def test_options_alone_need_no_packages(app):
    assert not lock(app, "--no-index\n\\\n\n# nothing\n").needs_packages


def test_line_ends_and_a_byte_order_mark_change_nothing(app):
    plain = lock(app, PINNED)
    (app / "requirements.txt").write_bytes(b"\xef\xbb\xbf" + PINNED.replace("\n", "\r\n").encode())
    assert lock(app).content == plain.content


def test_settings_of_uv_are_part_of_it_and_those_of_projects_are_not(app):
    plain = lock(app, PINNED)
    (app.parents[1] / "pyproject.toml").write_text('[tool.uv.build-backend]\nmodule-name = "x"\n')
    assert lock(app).content == plain.content
    (app.parents[1] / "pyproject.toml").write_text("[tool.uv]\nno-index = true\n")
    assert lock(app).content != plain.content


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("flask==3.1.0\r\n".encode("utf-16"), "UTF-16"),
        ("flask==3.1.0\r\n".encode("utf-16-le"), "UTF-16"),
        ("flask==3.1.0\n".encode("utf-32"), "UTF-32"),
        ("# café\n".encode("latin-1"), "Latin-1"),
    ],
)
@pytest.mark.parametrize("file", ["requirements.txt", "base.txt"])
def test_an_encoding_that_is_not_utf_8_is_named(app, content, encoding, file):
    (app / "requirements.txt").write_text("-r base.txt\n")
    (app / file).write_bytes(content)
    with pytest.raises(
        UsageError, match=rf"^apps/tiny_app/{file} of tiny.* in .*{encoding}.*: write it as UTF-8$"
    ):
        lock(app)


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("-e .", CannotMeasure, r"has `-e \.`, the project itself: .*--no-emit-project"),
        ("--editable=./libs/x", CannotMeasure, "no-emit-project"),
        ("shop @ git+https://example.com/shop.git@abc", CannotMeasure, "no hash can cover a repository"),
        ("git+ssh://git@example.com/shop.git", CannotMeasure, "no hash can cover a repository"),
        ("./libs/shop", CannotMeasure, "a folder: no hash can cover it"),
        (".", CannotMeasure, "a folder"),
        ("shop @ file:///srv/shop", CannotMeasure, "a folder"),
        ("-r gone.txt", UsageError, r"includes gone\.txt, which is not there"),
        ("-r https://example.com/base.txt", UsageError, "keep a copy in the project"),
    ],
)
def test_what_no_hash_can_cover_is_one_line_with_the_remedy(app, line, kind, words):
    with pytest.raises(kind, match=rf"^apps/tiny_app/requirements\.txt of tiny .*{words}") as caught:
        lock(app, f"{PINNED}{line}\n")
    assert "\n" not in str(caught.value)


def test_an_archive_with_its_hash_is_fine_wherever_it_lies(app):
    assert lock(app, "tiny @ file:///srv/tiny-1.5-py3-none-any.whl --hash=sha256:00\n").needs_packages


@pytest.mark.parametrize(
    ("beside", "command"),
    [
        ("uv.lock", "uv export --frozen --no-dev --no-emit-project --output-file requirements.txt"),
        ("poetry.lock", "poetry export --output requirements.txt"),
        ("pdm.lock", "pdm export"),
        ("Pipfile.lock", "pipenv requirements --hash > requirements.txt"),
        ("pyproject.toml", "uv pip compile --generate-hashes apps/tiny_app/pyproject.toml"),
        ("requirements.in", "--output-file apps/tiny_app/requirements.txt"),
    ],
)
def test_a_missing_lock_is_made_of_what_lies_beside_it(app, beside, command):
    (app / beside).touch()
    if beside == "uv.lock":
        (app / "pyproject.toml").touch()
    with pytest.raises(
        UsageError, match=f"^tiny has no apps/tiny_app/requirements.txt: make it of .*{command}"
    ):
        lock(app)
    (app / beside).rename(app.parents[1] / beside)
    with pytest.raises(UsageError, match=f"make it of {beside}: .*apps/tiny_app/requirements.txt"):
        lock(app) if beside != "uv.lock" else ((app / "pyproject.toml").unlink(), lock(app))


@pytest.mark.parametrize(
    "said",
    [
        "In `--require-hashes` mode, all requirements must have a hash, but none were provided for: x==3.1.0",
        "In `--require-hashes` mode, all requirements must have their versions pinned with `==`: x",
    ],
)
def test_what_uv_refuses_for_want_of_a_hash_or_a_version_has_the_command(said):
    assert "uv pip compile --generate-hashes" in advice(said)
