from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.priority.globs import Globs, check_glob, extension_of


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [
        ("*/Users/*", "vol2/Users/alex/x.jpg", True),
        ("*/Users/*", "vol2/users/alex", True),
        ("*/Users/*", "vol2/Users", False),
        ("*/Users/*", "vol2/MyUsers/x", False),
        ("**/Downloads/**", "vol1/a/b/Downloads/c/d.zip", True),
        ("*/Users/*/Downloads/*", "vol2/Users/alex/Downloads/x.zip", True),
        ("*/Users/*/Downloads/*", "vol2/Users/Downloads", False),
        ("vol2/*", "vol2/x", True),
        ("vol2/*", "vol22/x", False),
        ("*.tmp", "vol1/a/b.TMP", True),
        ("vol1/a.txt", "vol1/a.txt", True),
        ("vol1/a.txt", "vol1/a.txt2", False),
        ("Thumbs.db", "vol1/x/Thumbs.db", True),
        ("Thumbs.db", "vol1/Thumbs.db/x", False),
        ("IMG_*", "vol1/a/IMG_1.jpg", True),
        ("IMG_*", "vol1/IMG_2020/notes.txt", False),
        ("*cache*", "vol1/cache/x", False),
        ("*cache*", "vol1/x/mycache2", True),
        ("*/IMG_????.jpg", "vol1/IMG_0001.jpg", True),
        ("*/IMG_????.jpg", "vol1/IMG_001.jpg", False),
        ("*/IMG_[0-9]*", "vol1/IMG_1", True),
        ("*/IMG_[!0-9]*", "vol1/IMG_1", False),
        ("*", "vol1/x", True),
        ("*a*a*", "vol1/za", False),
        ("*/x*x", "vol1/x", False),
        ("*/a.b+c(d)/*", "vol1/a.b+c(d)/e", True),
        ("*/a.b+c(d)/*", "vol1/aXb+c(d)/e", False),
    ],
)
def test_a_pattern_fits_what_its_words_say(glob, path, fits):
    assert Globs([glob]).matches(path.lower()) is fits


def test_no_pattern_fits_nothing():
    assert not Globs([]).matches("vol1/x")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text("ab/*?[]!-.", min_size=1, max_size=8).filter(lambda g: "/" in g), max_size=3),
    st.text("ab/.-!]*", max_size=12),
)
def test_patterns_agree_with_fnmatch(globs, path):
    if not any(
        set(glob) == set("*/") for glob in globs
    ):  # "*/*" is everything, as every path begins with a volume
        assert Globs(globs).matches(path) is any(fnmatch.fnmatchcase(path, glob) for glob in globs)


@pytest.mark.parametrize(
    ("glob", "said"),
    [
        ("/Users/*", "'/Users/*' matches nothing: paths begin with the volume's name, so write '*/Users/*'"),
        ("*\\Users\\*", "paths are written with '/', not '\\'"),
        ("", "empty"),
        ("a" * 501, "501 characters is too long"),
    ],
)
def test_a_pattern_that_can_never_fit_is_refused(glob, said):
    with pytest.raises(ValueError) as caught:
        check_glob(glob)
    assert said in str(caught.value)


def test_a_pattern_may_hold_the_escapes_that_paths_show():
    assert check_glob("*/a\\x0ab") == "*/a\\x0ab"


def test_hostile_paths_take_linear_time():
    globs = Globs(["*/a*/b*/c*/d", "*a*a*a*a*a*a*b", "*/a?a*a[ab]*a?c"])
    path = "vol1/" + "a/" * 100_000
    began = time.perf_counter()
    assert not globs.matches(path)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("x.JPG", "jpg"),
        ("x", ""),
        (".bashrc", ""),
        ("a.tar.gz", "gz"),
        ("x.txt:y.png", "png"),
        ("x.jpg:secret", ""),
        ("x." + "a" * 17, ""),
        ("", ""),
    ],
)
def test_an_extension_is_what_follows_the_last_dot(name, extension):
    assert extension_of(name) == extension
