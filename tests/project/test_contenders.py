import pytest

from bench.errors import UsageError
from bench.project import contenders
from tests.support.projects import CONTENDERS, make_project


@pytest.fixture
def tables(tmp_path):
    return contenders.declared(make_project(tmp_path))


def test_switches_that_set_the_same_variable_do_not_go_together(tmp_path):
    text = CONTENDERS.replace(
        "[one-fast]", '[one.switch.size]\nbig = { env = { POOL = "64" } }\n\n[one-fast]', 1
    )
    tables = contenders.declared(make_project(tmp_path, contenders=text))
    assert contenders.resolve("one:size=big,workers=2", tables).env["POOL"] == "64"
    with pytest.raises(UsageError, match="pool=off and size=big do not go together: both set POOL"):
        contenders.resolve("one:pool=off,size=big", tables)


def test_an_overlay_replaces_what_it_names_and_keeps_the_rest(tables):
    fast = contenders.resolve("one-fast", tables)
    assert (fast.stack, fast.server) == ("One, faster", "tiny")
    assert fast.env == {"MODE": "fast", "LEVEL": "1"}


def test_a_switch_is_an_overlay_on_top(tables):
    off = contenders.resolve("one-fast:pool=off", tables)
    assert off.name == "one-fast:pool=off"
    assert off.base == "one-fast"
    assert off.env == {"MODE": "fast", "LEVEL": "1", "POOL": "0"}


def test_workers_and_python_need_no_declared_switch(tables):
    four = contenders.resolve("one:workers=4,python=3.12,pool=on", tables)
    assert (four.workers, four.python, four.env["POOL"]) == (4, "3.12", "16")
    assert four.stack == "One on a server, 4 workers, Python 3.12"


@pytest.fixture
def locked(tmp_path):
    root = make_project(tmp_path)
    for name in ("requirements.txt", "requirements-django-6.1.txt", "requirements-django-5.1.txt"):
        (root / "apps" / "one_app" / name).write_text("")
    return root


@pytest.mark.parametrize("value", ["6.1", "django-6.1", "requirements-django-6.1.txt"])
def test_a_lock_is_a_factor_by_the_end_of_its_name(locked, value):
    found = contenders.resolve(f"one:lock={value},python=3.12", contenders.declared(locked))
    assert (found.lock, found.python) == ("requirements-django-6.1.txt", "3.12")
    assert found.stack == "One on a server, Python 3.12, lock django-6.1"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1", "there is no lock 1 in one_app, such as requirements-1.txt"),
        ("6.2", r"there is no lock 6\.2 in one_app.*django-6\.1"),
    ],
)
def test_a_lock_that_is_not_there_is_named_with_those_that_are(locked, value, said):
    with pytest.raises(UsageError, match=f"^one:lock={value}: {said}"):
        contenders.resolve(f"one:lock={value}", contenders.declared(locked))


def test_a_short_name_that_fits_two_locks_names_both(locked):
    (locked / "apps" / "one_app" / "requirements-drf-6.1.txt").write_text("")
    tables = contenders.declared(locked)
    with pytest.raises(UsageError, match=r"lock=6\.1 may be requirements-d.*-6\.1\.txt or requirements-d"):
        contenders.resolve("one:lock=6.1", tables)
    (locked / "apps" / "one_app" / "requirements-6.1.txt").write_text("")
    assert contenders.resolve("one:lock=6.1", tables).lock == "requirements-6.1.txt"


def test_a_lock_may_be_declared_and_a_switch_of_that_name_comes_first(tmp_path):
    text = CONTENDERS.replace('stack = "One, faster"', 'stack = "One, faster"\nlock = "locks/fast.txt"')
    text += '[one.switch.lock]\n"6.1" = { lock = "new.txt", python = "3.13" }\n'
    tables = contenders.declared(make_project(tmp_path, contenders=text))
    assert contenders.resolve("one", tables).lock is None
    assert contenders.resolve("one-fast", tables).lock == "locks/fast.txt"
    six = contenders.resolve("one:lock=6.1", tables)
    assert (six.lock, six.python) == ("new.txt", "3.13")
    outside = text.replace("locks/fast.txt", "../fast.txt")
    with pytest.raises(UsageError, match=r'one-fast\.lock: "\.\./fast\.txt" is no path below the project'):
        contenders.declared(make_project(tmp_path / "outside", contenders=outside))


def test_a_server_that_keeps_no_connection_says_so(tmp_path):
    text = CONTENDERS.replace('stack = "One, faster"', 'stack = "One, faster"\nkeep_alive = false')
    tables = contenders.declared(make_project(tmp_path, contenders=text))
    assert contenders.resolve("one", tables).keep_alive
    assert not contenders.resolve("one-fast", tables).keep_alive


def test_an_a_a_twin_differs_in_name_alone(tables):
    one, twin = contenders.resolve("one", tables), contenders.resolve("one~aa", tables)
    assert (twin.name, twin.command, twin.env) == ("one~aa", one.command, one.env)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("oen", "unknown contender oen; did you mean one"),
        ("one:pol=off", "no switch pol=off; did you mean pool"),
        ("one:pool=of", "pool=of is unknown; did you mean off"),
        ("one:workers=0", "no switch workers=0"),
        ("one:pool", "not a contender's name"),
        ("One", "not a contender's name"),
        ("one@main", "`bench diff` compares revisions"),
    ],
)
def test_a_wrong_name_is_told_with_what_is_near(tables, name, words):
    with pytest.raises(UsageError, match=words):
        contenders.resolve(name, tables)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('server = "tiny"', 'sever = "tiny"', "one_app/contenders.toml: one.sever: unknown key"),
        ('services = ["postgres"]', 'services = "postgres"', "one.services: Input should be a valid"),
        ('env = { MODE = "plain"', "env = { MODE = 5", "one.env.MODE: Input should be a valid string"),
        ('of = "one"', 'of = "two"', "one-fast.of: 'two' is no other contender of this app"),
        ('of = "one"', 'of = "one-fast"', "one-fast.of: 'one-fast' is no other"),
        ('stack = "The floor"', "", "floor.stack: missing"),
        ("[one]", "[one", "one_app/contenders.toml: "),
    ],
)
def test_a_mistake_in_the_file_is_told_by_file_and_key(tmp_path, before, after, words):
    root = make_project(tmp_path, contenders=CONTENDERS.replace(before, after, 1))
    with pytest.raises(UsageError, match=words):
        contenders.declared(root)


def test_a_base_name_belongs_to_one_app(tmp_path):
    root = make_project(tmp_path)
    (root / "apps" / "two_app").mkdir()
    (root / "apps" / "two_app" / "contenders.toml").write_text(CONTENDERS)
    with pytest.raises(UsageError, match=r"two_app/contenders\.toml: one: already declared in"):
        contenders.declared(root)


def test_the_project_is_found_from_any_folder_inside_it(tmp_path):
    root = make_project(tmp_path / "project")
    assert contenders.find_project(root / "apps" / "one_app") == root
    with pytest.raises(UsageError, match="run bench inside a project"):
        contenders.find_project(tmp_path)


def test_other_names_of_a_service_are_read_as_the_one_that_is_used(tmp_path):
    text = CONTENDERS.replace(
        'stack = "One, faster"', 'stack = "One, faster"\nservices = ["redis", "valkey", "mariadb"]'
    )
    tables = contenders.declared(make_project(tmp_path, contenders=text))
    assert contenders.resolve("one-fast", tables).services == ("valkey", "mysql")
