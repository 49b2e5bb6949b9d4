"""Published sets: fetched over real HTTP from this machine, checked, cached, and never fetched when offline."""

import errno
import threading
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from weakspot.data import NAMED, load
from weakspot.data.downloads import Source, cache_folder, check_present, obtain
from weakspot.errors import InputError, SetupError

CONTENT = b"published" * 1000
DIGEST = sha256(CONTENT).hexdigest()


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and notes what was asked for."""

    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of an HTTP server on this machine, its folder, and the list of paths asked for."""
    monkeypatch.delenv("WEAKSPOT_OFFLINE", raising=False)
    folder = tmp_path / "served"
    folder.mkdir()
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", folder, Handler.asked
        http.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAKSPOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_file_is_fetched_once(server, cache):
    url, served, asked = server
    (served / "x.bin").write_bytes(CONTENT)
    source = Source("x.bin", DIGEST, (f"{url}/x.bin",))
    for _ in range(2):
        assert obtain(source, cache, offline=False).read_bytes() == CONTENT
    assert asked == ["/x.bin"]
    assert [path.name for path in cache.iterdir()] == ["x.bin"]


def test_the_next_url_is_tried_when_one_fails_or_serves_something_else(server, cache):
    url, served, asked = server
    (served / "other.bin").write_bytes(b"something else")
    (served / "x.bin").write_bytes(CONTENT)
    urls = ("http://127.0.0.1:9/x.bin", f"{url}/absent", f"{url}/other.bin", f"{url}/x.bin")
    assert obtain(Source("x.bin", DIGEST, urls), cache, offline=False).read_bytes() == CONTENT
    assert asked == ["/absent", "/other.bin", "/x.bin"]


def test_a_file_that_nobody_serves_leaves_nothing_and_says_where_to_put_it(server, cache):
    url, served, _ = server
    (served / "x.bin").write_bytes(b"something else")
    with pytest.raises(SetupError, match=r"cannot fetch x.bin .*put the file at .*x.bin yourself") as caught:
        obtain(Source("x.bin", DIGEST, (f"{url}/x.bin",)), cache, offline=False)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_changed_file_in_the_cache_is_refused_and_kept(server, cache):
    url, served, asked = server
    (served / "x.bin").write_bytes(CONTENT)
    cache.mkdir()
    (cache / "x.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match="x.bin: not the published file.*delete it"):
        obtain(Source("x.bin", DIGEST, (f"{url}/x.bin",)), cache, offline=False)
    assert (cache / "x.bin").read_bytes() == CONTENT[:-1]
    assert asked == []


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_offline_asks_for_nothing_and_says_which_file_goes_where(server, cache, monkeypatch, by):
    url, served, asked = server
    (served / "x.bin").write_bytes(CONTENT)
    source = Source("x.bin", DIGEST, (f"{url}/x.bin",))
    monkeypatch.setenv("WEAKSPOT_OFFLINE", "1" if by == "environment" else "0")
    with pytest.raises(SetupError, match=rf"offline, and {cache}/x.bin is missing; put the file of {url}/x.bin there"):
        obtain(source, cache, offline=by == "argument")
    both = [source, Source("y.bin", DIGEST, (f"{url}/y.bin",))]
    with pytest.raises(SetupError, match=rf"x.bin and y.bin are not in {cache}; put {url}/x.bin and {url}/y.bin there"):
        check_present(both, cache)
    assert asked == []
    assert not cache.exists()
    cache.mkdir()
    (cache / "x.bin").write_bytes(CONTENT)
    assert obtain(source, cache, offline=True) == cache / "x.bin"


def test_a_folder_that_cannot_be_made_is_a_setup_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="set WEAKSPOT_CACHE"):
        obtain(Source("x.bin", DIGEST, ("http://127.0.0.1:9/x.bin",)), tmp_path / "file" / "cache", offline=False)


def test_a_full_disk_is_a_setup_error(server, cache, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pooch.retrieve", full)
    with pytest.raises(SetupError, match=r"the disk of .* is full; free some space"):
        obtain(Source("x.bin", DIGEST, (f"{server[0]}/x.bin",)), cache, offline=False)


def test_the_cache_is_where_the_environment_says_or_the_platform(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("WEAKSPOT_CACHE")
    assert cache_folder().name == "weakspot"


def test_a_published_set_is_fetched_split_by_split_and_read(server, cache, write, tmp_path):
    url, served, asked = server
    write("idx.gz", 1, served / "set")
    files = [f"t10k-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1")]
    sources = tuple(
        Source(file, sha256((served / "set" / file).read_bytes()).hexdigest(), (f"{url}/set/{file}",)) for file in files
    )
    named = replace(NAMED["mnist"], sources={"train": (), "test": sources})
    data = named("test")
    assert (data.name, data.split, data.radius, data.classes) == ("mnist", "test", "linf:0.3", tuple("0123456789"))
    assert asked == [f"/set/{file}" for file in files]
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == files
    assert named("test", offline=True).digest() == data.digest()


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_every_published_set_refuses_offline_by_name(cache, name, split):
    with pytest.raises(SetupError, match=rf"offline, and .*gz (is|are) not in {cache}/{name}; put http.* there"):
        load(name, split=split, offline=True)
