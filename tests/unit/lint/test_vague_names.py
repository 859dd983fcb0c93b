import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "lint"))

import vague_names


def names(tmp_path, source, name="module.py"):
    file = tmp_path / name
    file.write_text(source)
    return [name for _, name in vague_names.vague_bindings(file)]


@pytest.mark.parametrize(
    "source",
    [
        "one = 1",
        "one: int = 1",
        "for one in (): pass",
        "[one for one in ()]",
        "(one := 1)",
        "one, two = 1, 2",
        "def f(one): pass",
        "def f(*, one=1): pass",
        "def one(): pass",
        "async def one(): pass",
        "class One: pass",
        "class C:\n    one: int",
        "self.one = 1",
        "import one",
        "import package.one",
        "from package import name as one",
        "with f() as one: pass",
        "try: pass\nexcept E as one: pass",
        "match x:\n    case [*one]: pass",
        "match x:\n    case {'a': 1, **one}: pass",
        "match x:\n    case C(a=one): pass",
        "_one = 1",
        "__one__ = 1",
    ],
)
def test_each_way_to_bind_a_vague_name_is_refused(tmp_path, source):
    assert [name.strip("_").lower() for name in names(tmp_path, source)] == ["one"]


@pytest.mark.parametrize(
    "source",
    ["asked_at = 1", "print(one)", "x.one", "f(one=1)", "import one as first", "ONES_PLACE = 1"],
)
def test_other_uses_are_not(tmp_path, source):
    assert names(tmp_path, source) == []


def test_a_module_may_not_have_a_vague_name(tmp_path):
    assert names(tmp_path, "", "asked.py") == ["asked"]


def test_the_exit_code_says_whether_there_is_one(tmp_path, capsys):
    (tmp_path / "a.py").write_text("count = 1\n")
    assert vague_names.main([str(tmp_path)]) == 0
    (tmp_path / "b.py").write_text("\ntold = 1\n")
    assert vague_names.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == (
        f"{tmp_path}/b.py:2: the name 'told' does not describe the value\n"
    )
