from pathlib import Path

from changed import Source, chosen, concerned, direct_modules, modules_of, read

MODULES = {"leader", "leader.decide", "leader.edges.work", "services.auth.__main__", "cli.__main__"}
WORK, STEERING = Path("tests/contract/test_work.py"), Path("tests/contract/test_steering.py")
IMPORTERS = {
    "leader.evacuate": frozenset({"leader.decide"}),
    "leader.decide": frozenset({"leader.active"}),
}


def source(modules=(), words=(), fixtures=()):
    return Source(frozenset(modules), frozenset(words), frozenset(fixtures))


def test_imports_and_names_of_programs_are_dependencies():
    text = """
import leader.decide
from leader.edges import work
def test_it(broker):
    run([sys.executable, "-m", "cli"], Process("auth"), "leader")
"""
    found = read(text, MODULES)

    assert found.modules == {
        "leader.decide",
        "leader.edges.work",
        "cli.__main__",
        "services.auth.__main__",
    }
    assert "broker" in found.words


def test_a_fixture_is_a_dependency_of_whoever_asks_for_it():
    text = "@pytest.fixture(scope='session')\ndef machines(): ...\ndef other(): ..."
    assert read(text, MODULES).fixtures == {"machines"}

    found = direct_modules(
        {
            WORK: source({"leader.edges.work"}, {"pair"}),
            Path("tests/contract/pairs.py"): source(words={"machines"}, fixtures={"pair"}),
            Path("tests/contract/engines.py"): source({"runtime.clock"}, fixtures={"machines"}),
            Path("tests/contract/aws.py"): source({"leader.edges.aws"}, fixtures={"cloud"}),
        }
    )

    assert found == {WORK: {"leader.edges.work": 0, "runtime.clock": 2}}


def test_the_closest_tests_come_first_and_of_equals_the_narrowest():
    broad = Path("tests/contract/test_broad.py")
    direct = {
        broad: {"leader.active": 0},
        STEERING: {"leader.active": 0},
        WORK: {"leader.evacuate": 1},
        Path("tests/contract/test_none.py"): {"wire.keys": 0},
    }
    breadth = {broad: 90, STEERING: 40, WORK: 200}

    assert concerned(["leader.evacuate"], direct, IMPORTERS, breadth) == [WORK, STEERING, broad]


def test_every_change_has_its_closest_test_before_any_has_its_second():
    paths = [Path(f"tests/contract/test_{name}.py") for name in "abcde"]
    edited, first, second, third, fourth = paths

    run, left_out = chosen([edited], [[first, second], [third, fourth], []], of_each=2, at_most=4)

    assert run == [edited, first, third, second]
    assert left_out == [fourth]


def test_a_test_that_two_changes_need_is_run_once():
    assert chosen([WORK], [[WORK], [WORK, STEERING]], of_each=2, at_most=9) == (
        [WORK, STEERING],
        [],
    )


def test_a_file_is_its_module_or_its_packages_data():
    known = {"services", "services.site", "services.site.app", "services.auth"}

    assert modules_of(Path("services/site/app.py"), known) == {"services.site.app"}
    assert modules_of(Path("services/site/__init__.py"), known) == {"services.site"}
    assert modules_of(Path("services/site/gone.py"), known) == set()
    assert modules_of(Path("services/site/pages/home.html"), known) == {
        "services.site",
        "services.site.app",
    }
    assert modules_of(Path("compose/edge.yml"), known) == set()
