import pytest

from bench.errors import UsageError
from bench.model.contender import Contender
from bench.project.installs import install_files


@pytest.mark.parametrize("name", ["pylock.prod.toml", "requirements-prod.txt", "requirements/prod.in"])
def test_a_file_that_may_be_meant_is_named_and_read_if_it_is_chosen(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    facts = {"name": "shop", "base": "shop", "app": "app", "stack": "", "interface": "", "server": ""}
    facts |= {"root": str(tmp_path), "folder": "", "command": "serve"}
    with pytest.raises(UsageError, match=f'name its file, `install = "{name}"`'):
        install_files(Contender(**facts))
    assert [one.at for one in install_files(Contender(**facts, install=(name,)))] == [name]
