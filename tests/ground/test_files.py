"""Files that people write, in the encodings that their editors leave."""

import pytest

from bench.errors import UsageError
from bench.files import read_toml, working_folder


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfx = 1\n", b"x = 1\r\n", b"\xef\xbb\xbfx = 1\r\n"])
def test_a_byte_order_mark_and_line_ends_are_no_content(tmp_path, content):
    (tmp_path / "x.toml").write_bytes(content)
    assert read_toml(tmp_path / "x.toml", dict[str, int]) == {"x": 1}


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "line 2, is written in another encoding, Latin-1 it may be"),
    ],
)
def test_another_encoding_is_named_with_the_remedy(tmp_path, encoding, said):
    (tmp_path / "x.toml").write_bytes('x = 1\ny = "é"\n'.encode(encoding))
    with pytest.raises(UsageError, match=rf"x\.toml.*{said}: write it as UTF-8$"):
        read_toml(tmp_path / "x.toml", dict[str, int])


def test_a_working_folder_stays_out_of_git_and_an_old_one_as_it_is(tmp_path):
    assert working_folder(tmp_path / "shop" / "results") == tmp_path / "shop" / "results"
    assert (tmp_path / "shop" / "results" / ".gitignore").read_text() == "*\n"
    (tmp_path / "old").mkdir()
    assert not list(working_folder(tmp_path / "old").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"results cannot be made: Not a directory"):
        working_folder(tmp_path / "file" / "results")
