import io
import tarfile

import pytest

from lab.images import tars


def packed(*names):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    out.seek(0)
    return tarfile.open(fileobj=out)


def names(packed_):
    packed_.seek(0)
    with tarfile.open(fileobj=packed_) as tar:
        return tar.getnames()


@pytest.mark.parametrize(
    ("name", "merged"),
    [
        ("./lib/x86_64-linux-gnu/libz.so.1", "usr/lib/x86_64-linux-gnu/libz.so.1"),
        ("./bin/sh", "usr/bin/sh"),
        ("./lib", "lib"),
        ("./libexec/x", "libexec/x"),
        ("./usr/lib/a", "usr/lib/a"),
        ("./etc/redis/redis.conf", "etc/redis/redis.conf"),
    ],
)
def test_a_package_is_laid_where_its_base_has_the_directories(name, merged):
    assert tars.merged(name) == merged


def test_an_engine_refuses_a_layer_that_has_a_name_twice_so_no_layer_has():
    out = io.BytesIO()
    seen = {"etc/ours"}
    with tarfile.open(fileobj=out, mode="w") as into:
        for source in (packed("etc", "etc/ours"), packed("etc", "etc/theirs")):
            tars.copy(source, into, lambda member: member, seen)
    assert names(out) == ["etc", "etc/theirs"]


def test_what_a_filter_leaves_out_is_not_written():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as into:
        tars.copy(packed("a", "b"), into, lambda member: member if member.name == "b" else None)
    assert names(out) == ["b"]


def test_files_belong_to_root_whoever_has_them_here():
    member = tarfile.TarInfo("x")
    member.uid, member.uname = 1000, "me"
    assert (tars.executable(member).uid, member.uname, member.mode) == (0, "root", 0o755)


def test_a_file_of_a_layer_can_be_read_back(tmp_path):
    layer = tmp_path / "layer"
    with layer.open("wb") as out:
        tars.writing(lambda into: tars.text(into, {"etc/passwd": "root:x:0:0::/:/bin/sh\n"}))(out)
    assert tars.read(layer, "etc/passwd") == b"root:x:0:0::/:/bin/sh\n"
    with pytest.raises(KeyError):
        tars.read(layer, "etc/shadow")
