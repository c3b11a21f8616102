"""Projects as they lie are truly installed by uv, from wheels that are written here: no index is used."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from uv import find_uv_bin

from bench.errors import BenchError, CannotMeasure, UsageError
from bench.model.contender import Contender
from bench.runtime.environments import environment, unlocked
from tests.runtime.test_environments import write_python
from tests.support.wheels import write_wheel

PROJECT = """
[project]
name = "shop"
version = "1.2"
dependencies = ["tiny"]
[project.scripts]
serve-shop = "shop:main"
[project.optional-dependencies]
prod = ["extra"]
[dependency-groups]
deploy = ["extra"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def hashes(tmp_path, monkeypatch):
    """Two versions of `leaf`, which `tiny` needs, and `extra`: what uv finds instead of an index."""
    wheels = tmp_path / "wheels"
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return {
        "leaf1": write_wheel(wheels, "leaf", "1.0"),
        "leaf2": write_wheel(wheels, "leaf", "2.0"),
        "tiny": write_wheel(wheels, "tiny", "1.5", ["leaf"]),
        "extra": write_wheel(wheels, "extra", "3.0"),
    }


@pytest.fixture
def shop(tmp_path, hashes):
    root = tmp_path / "shop"
    root.mkdir()
    return root


def write(root: Path, **files: str | bytes) -> None:
    """Write files by names in which `__` stands for a slash and `_dot_` for a dot."""
    for name, content in files.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        file.write_bytes(plain)


def contender(root, folder="", **changes):
    facts = {"name": "shop", "base": "shop", "app": "app", "root": str(root), "folder": folder}
    rest = {"stack": "Shop", "interface": "http", "server": "shop", "command": "shop"}
    return Contender(**(facts | rest | changes))


def made(root, folder="", **changes):
    return environment(contender(root, folder, **changes), root.parent / "venvs")


def refused(root, kind: type[BenchError], **changes) -> str:
    with pytest.raises(kind) as caught:
        made(root, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert "bench-install-" not in message  # the name of a temporary file
    return message


def run(env, root, code: str) -> str:
    """Run *code* as a server of the project would: beside its sources, in another folder."""
    sources = os.pathsep.join(str(root / one) for one in env.sources)
    done = subprocess.run(
        [env.programs / "python", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root.parent,
        env={"BENCH_SOURCE": sources},
    )
    return done.stdout.strip()


def test_requirements_without_hashes_are_resolved_and_the_rows_say_so(shop):
    write(shop, requirements_dot_txt="tiny\n")
    env = made(shop)
    assert env.packages() == {"leaf": "2.0", "tiny": "1.5"}
    assert env.unlocked.startswith(
        "its packages are not locked: no version of leaf, tiny stands in requirements.txt"
    )


def test_requirements_that_state_every_version_cannot_differ(shop):
    write(shop, requirements_dot_txt="Tiny==1.5\nleaf==1.0 ; python_version > '3'\n")
    env = made(shop)
    assert env.packages() == {"leaf": "1.0", "tiny": "1.5"}
    assert env.unlocked == ""


def test_a_project_may_state_every_version_too(shop):
    stated = PROJECT.replace('["tiny"]', '["tiny==1.5", "leaf==1.0"]')
    write(shop, pyproject_dot_toml=stated)
    assert made(shop).unlocked == ""


@pytest.mark.parametrize(
    "lines", ["./own/leaf-1.0-py3-none-any.whl\n", "--no-index\n--find-links ./own\nleaf==1.0\n"]
)
def test_wheels_that_lie_in_the_project_are_installed(shop, lines, monkeypatch):
    monkeypatch.delenv("UV_FIND_LINKS")
    write_wheel(shop / "own", "leaf", "1.0")
    write(shop, requirements_dot_txt=lines)
    env = made(shop)
    assert env.packages() == {"leaf": "1.0"}
    assert env.unlocked == ""


def test_requirements_with_hashes_are_held_to_them(shop, hashes):
    write(shop, requirements_dot_txt=f"extra==3.0 --hash={hashes['extra']}\n")
    assert made(shop).packages() == {"extra": "3.0"}
    write(shop, requirements_dot_txt=f"extra==3.0 --hash=sha256:{'0' * 64}\n")
    assert refused(shop, CannotMeasure).startswith(
        "the environment of requirements.txt of shop cannot be made: "
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_windows_are_read(shop, encoding):
    write(shop, base_dot_txt="leaf<2\r\n".encode(encoding), requirements_dot_txt=b"tiny\r\n-c base.txt\r\n")
    assert made(shop).packages() == {"leaf": "1.0", "tiny": "1.5"}


def test_another_encoding_is_refused_with_its_line(shop):
    write(shop, requirements_dot_txt=b"tiny\n# caf\xe9\n")
    assert refused(shop, UsageError) == (
        "requirements.txt of shop, line 2, is written in another encoding, Latin-1 it may be: "
        "write it as UTF-8"
    )


@pytest.mark.parametrize("line", ["-e .", ".", "--editable=.", "shop @ file:."])
def test_the_projects_own_code_is_imported_from_the_copy(shop, line, tmp_path):
    write(shop, pyproject_dot_toml=PROJECT, src__shop_dot_py="WHERE = __file__\n")
    write(shop, requirements_dot_txt=f"{line}\n")
    env = made(shop)
    assert env.packages() == {"leaf": "2.0", "shop": "1.2", "tiny": "1.5"}
    assert env.sources == ("src",)
    copy = tmp_path / "copy"
    write(copy, src__shop_dot_py="WHERE = __file__\n")
    assert run(env, copy, "import shop; print(shop.WHERE)") == str(copy / "src" / "shop.py")


def test_a_console_script_and_the_version_of_the_project_are_there(shop):
    code = "from importlib.metadata import version\ndef main(): print('shop', version('shop'))\n"
    write(shop, pyproject_dot_toml=PROJECT, src__shop_dot_py=code)
    env = made(shop)
    done = subprocess.run(
        [env.programs / "serve-shop"],
        capture_output=True,
        text=True,
        check=True,
        env={"BENCH_SOURCE": str(shop / "src")},
    )
    assert done.stdout == "shop 1.2\n"


BACKEND = """
import os

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir("shop.egg-info")  # as setuptools does
    os.mkdir(f"{folder}/shop-1.2.dist-info")
    with open(f"{folder}/shop-1.2.dist-info/METADATA", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: shop\\nVersion: 1.2\\nRequires-Dist: leaf<2\\n")
    return "shop-1.2.dist-info"

prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
"""
COMPUTED = """
[project]
name = "shop"
dynamic = ["version", "dependencies"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.mark.parametrize("line", ["-e .", None])
def test_a_list_of_packages_that_is_computed_leaves_nothing_in_the_checkout(shop, line):
    write(shop, pyproject_dot_toml=COMPUTED, backend_dot_py=BACKEND)
    if line:
        write(shop, requirements_dot_txt=line)
    env = made(shop)
    assert env.packages() == {"leaf": "1.0", "shop": "0"}
    assert not (shop / "shop.egg-info").exists()


def test_code_that_moves_is_found_without_another_environment(shop):
    write(shop, pyproject_dot_toml=PROJECT, shop_dot_py="")
    before = made(shop)
    write(shop, src__shop_dot_py="")
    after = made(shop)
    assert (before.sources, after.sources) == ((".",), ("src",))
    assert before.folder == after.folder


def test_extras_and_groups_of_a_project_are_installed(shop):
    write(shop, pyproject_dot_toml=PROJECT)
    assert "extra" not in made(shop).packages()
    assert "extra" in made(shop, extras=("prod",)).packages()
    assert "extra" in made(shop, groups=("deploy",)).packages()
    assert "nope" in refused(shop, CannotMeasure, extras=("nope",))


def test_a_revision_keeps_the_versions_that_it_does_not_change(shop, tmp_path):
    """An index that has a newer version by now is no difference between base and head."""
    (tmp_path / "wheels" / "leaf-2.0-py3-none-any.whl").rename(tmp_path / "later.whl")
    write(shop, requirements_dot_txt="tiny\n")
    assert made(shop).packages()["leaf"] == "1.0"
    (tmp_path / "later.whl").rename(tmp_path / "wheels" / "leaf-2.0-py3-none-any.whl")
    write(shop, requirements_dot_txt="tiny\nextra\n")
    assert made(shop).packages() == {"extra": "3.0", "leaf": "1.0", "tiny": "1.5"}


def test_revisions_with_other_versions_that_no_file_states_say_so(shop, tmp_path):
    write(shop, requirements_dot_txt="tiny\n")
    base = made(shop)
    (tmp_path / "venvs" / "app-py{}.versions".format(MINOR.replace(".", ""))).write_text("leaf==1.0\n")
    write(shop, requirements_dot_txt="tiny\nextra\n")
    head = made(shop)
    assert unlocked({"shop@main": base}) == {"shop@main": base.unlocked}
    words = unlocked({"shop@main": base, "shop@worktree": head, "other@main": base})
    assert words["shop@worktree"] == f"{head.unlocked}. shop@main has others: leaf 1.0 here, 2.0 there"
    assert words["shop@main"] == f"{base.unlocked}. shop@worktree has others: leaf 2.0 here, 1.0 there"
    assert words["other@main"] == base.unlocked


def test_the_second_revision_prefers_the_versions_of_the_first(shop, tmp_path):
    """Both may have been made on other days. What is used together is as equal as its files allow."""
    write(shop, requirements_dot_txt="leaf<2\n")
    made(shop)
    write(shop, requirements_dot_txt="leaf\nextra\n")
    write(shop, api__requirements_dot_txt="leaf\n")
    assert made(shop, "api").packages()["leaf"] == "1.0"  # of one app here
    assert made(shop).packages()["leaf"] == "1.0"


def uv_lock(root):
    subprocess.run([find_uv_bin(), "--quiet", "lock", "--python", sys.executable], cwd=root, check=True)


def test_a_lock_of_uv_is_installed_without_the_tools_of_development(shop):
    write(
        shop,
        pyproject_dot_toml=PROJECT.replace("[dependency-groups]", '[dependency-groups]\ndev = ["extra"]'),
    )
    uv_lock(shop)
    env = made(shop)
    assert env.packages() == {"leaf": "2.0", "shop": "1.2", "tiny": "1.5"}
    assert env.unlocked == ""
    assert "extra" in made(shop, extras=("prod",)).packages()
    assert "extra" in made(shop, groups=("deploy",)).packages()
    assert refused(shop, CannotMeasure, groups=("nope",)).startswith(
        "uv.lock of shop cannot be exported by uv: "
    )


def test_a_head_that_changes_the_lock_has_its_own_environment(shop):
    write(shop, pyproject_dot_toml=PROJECT)
    uv_lock(shop)
    before = made(shop)
    write(shop, pyproject_dot_toml=PROJECT.replace('["tiny"]', '["tiny", "leaf<2"]'))
    uv_lock(shop)
    after = made(shop)
    assert before.folder != after.folder
    assert after.packages()["leaf"] == "1.0"


def test_a_member_of_a_workspace_imports_the_others(shop):
    member = PROJECT.replace('"tiny"', '"common"') + "[tool.uv.sources]\ncommon = { workspace = true }\n"
    write(
        shop,
        pyproject_dot_toml='[tool.uv.workspace]\nmembers = ["api", "libs/*"]\n',
        api__pyproject_dot_toml=member,
        api__src__shop_dot_py="import common\nWHERE = common.__file__\n",
        libs__common__pyproject_dot_toml=PROJECT.replace('"shop"', '"common"').replace("tiny", "leaf"),
        libs__common__common_dot_py="",
    )
    uv_lock(shop)
    env = made(shop, "api")
    assert env.packages() == {"common": "1.2", "leaf": "2.0", "shop": "1.2"}
    assert set(env.sources) == {"api/src", "libs/common"}
    assert run(env, shop, "import shop; print(shop.WHERE)") == str(shop / "libs/common/common.py")


@pytest.mark.parametrize("line", ["-e ../common", "../common", "common @ file:../common"])
def test_a_folder_of_the_same_project_is_imported_and_its_packages_installed(shop, line):
    common = PROJECT.replace('"shop"', '"common"').replace('["tiny"]', '["leaf<2"]')
    write(
        shop,
        common__pyproject_dot_toml=common,
        common__common_dot_py="",
        api__requirements_dot_txt=f"{line}\n",
    )
    env = made(shop, "api")
    assert env.packages() == {"common": "1.2", "leaf": "1.0"}
    assert env.sources == ("common",)


def test_a_folder_outside_of_the_project_is_refused(shop, tmp_path):
    write(tmp_path / "common", pyproject_dot_toml=PROJECT)
    write(shop, requirements_dot_txt="-e ../common\n")
    assert refused(shop, UsageError).startswith(
        "requirements.txt of shop has `-e ../common`, a folder outside of the project"
    )


def test_a_lock_of_pep_751_is_installed(shop):
    write(shop, pyproject_dot_toml=PROJECT, src__shop_dot_py="")
    uv_lock(shop)
    exported = subprocess.run(
        [find_uv_bin(), "--quiet", "export", "--frozen", "--no-dev", "--format", "pylock.toml"],
        cwd=shop,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (shop / "uv.lock").unlink()
    write(shop, pylock_dot_toml=exported)
    env = made(shop)
    assert env.packages() == {"leaf": "2.0", "shop": "1.2", "tiny": "1.5"}
    assert env.sources == ("src",)


POETRY_PROJECT = """
[tool.poetry]
name = "shop"
version = "1.2"
[tool.poetry.dependencies]
python = "^3.9"
tiny = "^1.5"
extra = { version = "*", optional = true }
[tool.poetry.extras]
prod = ["extra"]
[tool.poetry.group.dev.dependencies]
never = "*"
[tool.poetry.scripts]
serve-shop = "shop:main"
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""


def poetry_lock(hashes, *, groups: bool) -> str:
    """Return a lock as Poetry 2 writes it, which names groups, or as Poetry 1 does."""

    def package(name, version, digest, group="main", markers="", more=""):
        of = f'groups = ["{group}"]\n' if groups else ""
        marker = f"markers = '{markers}'\n" if markers and groups else ""
        optional = str("extra" in markers).lower()
        return (
            f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = {optional}\n'
            f'python-versions = ">=3.8"\n{of}{marker}'
            f'files = [{{file = "{name}.whl", hash = "{digest}"}}]\n{more}\n'
        )

    return "".join(
        (
            package("extra", "3.0", hashes["extra"], markers='extra == "prod"'),
            package("leaf", "1.0", hashes["leaf1"]),
            package("never", "1.0", "sha256:00", group="dev"),
            package("tiny", "1.5", hashes["tiny"], more='[package.dependencies]\nleaf = "*"\n'),
            '[extras]\nprod = ["extra"]\n',
            '[metadata]\nlock-version = "2.1"\npython-versions = "^3.9"\ncontent-hash = "0"\n',
        )
    )


@pytest.mark.parametrize("groups", [True, False])
def test_a_lock_of_poetry_is_installed(shop, hashes, groups):
    write(shop, pyproject_dot_toml=POETRY_PROJECT, poetry_dot_lock=poetry_lock(hashes, groups=groups))
    env = made(shop)
    assert env.packages() == {"leaf": "1.0", "shop": "1.2", "tiny": "1.5"}
    assert env.unlocked == ""
    assert (env.programs / "serve-shop").exists()
    with_extra = made(shop, extras=("prod",)).packages()
    assert with_extra == {"extra": "3.0", "leaf": "1.0", "shop": "1.2", "tiny": "1.5"}
    assert "poetry.lock of shop: extras: there is no nope" in refused(shop, UsageError, extras=("nope",))


def test_a_lock_of_pdm_is_installed(shop, hashes):
    lock = f"""
    [metadata]
    groups = ["default", "dev", "prod"]
    lock_version = "4.5.0"
    [[package]]
    name = "leaf"
    version = "1.0"
    groups = ["default"]
    files = [{{file = "leaf.whl", hash = "{hashes["leaf1"]}"}}]
    [[package]]
    name = "extra"
    version = "3.0"
    groups = ["prod"]
    files = [{{file = "extra.whl", hash = "{hashes["extra"]}"}}]
    [[package]]
    name = "elsewhere"
    version = "1.0"
    groups = ["default"]
    marker = "sys_platform == 'win32'"
    files = []
    """
    write(shop, pyproject_dot_toml=PROJECT, pdm_dot_lock=lock)
    assert made(shop).packages() == {"leaf": "1.0", "shop": "1.2"}
    assert made(shop, extras=("prod",)).packages() == {"extra": "3.0", "leaf": "1.0", "shop": "1.2"}


def test_a_lock_of_pipenv_is_installed(shop, hashes):
    lock = {
        "_meta": {"requires": {"python_version": MINOR}, "sources": []},
        "default": {"leaf": {"version": "==1.0", "hashes": [hashes["leaf1"]]}},
        "develop": {"extra": {"version": "==3.0", "hashes": [hashes["extra"]]}},
    }
    write(shop, Pipfile_dot_lock=json.dumps(lock))
    assert made(shop).packages() == {"leaf": "1.0"}
    assert made(shop, groups=("develop",)).packages() == {"extra": "3.0", "leaf": "1.0"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Pipfile_dot_lock", '{"_meta": {"requires": {"python_version": "3.8"}}, "default": {}}'),
        ("poetry_dot_lock", '[metadata]\npython-versions = "~3.8"\n'),
        ("uv_dot_lock", 'version = 1\nrequires-python = "==3.8.*"\n'),
        ("pylock_dot_toml", 'lock-version = "1.0"\nrequires-python = "<3.9"\npackages = []\n'),
        ("pyproject_dot_toml", '[project]\nname = "shop"\nversion = "1"\nrequires-python = "<3.9"\n'),
    ],
)
def test_a_lock_for_another_python_names_the_key(shop, name, text):
    write(shop, **{name: text})
    message = refused(shop, UsageError)
    assert f"{name.replace('_dot_', '.')} of shop is for Python " in message
    assert message.endswith(': write `python = "3.8"` in its table')


def test_a_python_that_is_installed_is_named_before_a_newer_one(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    write_python(tmp_path / "path", "3.9")
    write(shop, pyproject_dot_toml='[project]\nname = "shop"\nrequires-python = ">=3.8,<3.11"\n')
    assert refused(shop, UsageError).endswith(': write `python = "3.9"` in its table')


def test_no_packages_is_an_answer_too(shop):
    env = made(shop, install=())
    assert env.packages() == {}
    assert (env.programs / "python").exists()


def test_several_files_are_installed_together(shop):
    write(shop, requirements__base_dot_txt="tiny\n", requirements__prod_dot_txt="-r base.txt\nleaf==1.0\n")
    write(shop, more_dot_txt="extra\n")
    env = made(shop, install=("requirements/prod.txt", "more.txt"))
    assert env.packages() == {"extra": "3.0", "leaf": "1.0", "tiny": "1.5"}


def test_a_lock_comes_before_what_it_is_made_from_and_the_folder_before_the_root(shop, hashes):
    write(shop, pyproject_dot_toml=PROJECT, api__requirements_dot_txt="extra==3.0\n")
    assert made(shop, "api").packages() == {"extra": "3.0"}
    (shop / "api" / "requirements.txt").unlink()
    assert "shop" in made(shop, "api").packages()


def test_nothing_to_install_from_names_what_lies_there(shop):
    write(shop, requirements__prod_dot_txt="tiny\n", pyproject_dot_toml="[tool.ruff]\n")
    message = refused(shop, UsageError)
    assert '`install = "requirements/prod.txt"`' in message
    assert "`install = []` if it needs no packages" in message


@pytest.mark.parametrize(
    ("install", "words"),
    [
        ("gone.txt", 'there is no file "gone.txt"'),
        ("environment.yml", '"environment.yml" is no file that bench can install from'),
        ("../other.txt", "is no path below the project"),
    ],
)
def test_a_file_that_cannot_be_installed_from_is_refused(shop, install, words):
    assert words in refused(shop, UsageError, install=(install,))


def test_what_cannot_be_resolved_names_the_users_file(shop):
    write(shop, requirements_dot_txt="tiny==9\n")
    message = refused(shop, CannotMeasure)
    assert message.startswith("the environment of requirements.txt of shop cannot be made: No solution found")
    assert "there is no version of tiny==9" in message


def test_what_is_no_requirement_names_the_users_file(shop):
    write(shop, requirements_dot_txt="tiny=1\n")
    assert "Couldn't parse requirement in `requirements.txt`" in refused(shop, CannotMeasure)


def test_a_lock_takes_the_place_of_install(shop, hashes, tmp_path):
    write(shop, requirements_dot_txt="tiny==1.5\n")
    (shop / "requirements-leaf-2.txt").write_text(f"leaf==2.0 --hash={hashes['leaf2']}\n")
    service = contender(shop, install=("requirements.txt",), lock="requirements-leaf-2.txt")
    assert environment(service, tmp_path / "venvs").packages() == {"leaf": "2.0"}
    with pytest.raises(UsageError, match=r'shop: lock: there is no file "gone\.txt"'):
        environment(contender(shop, lock="gone.txt"), tmp_path / "venvs")
