"""Whatever stands in a file, the loader makes a profile of it or says at which line it is none."""

from __future__ import annotations

import importlib.resources
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage.errors import ProfileError
from triage.priority.profile import Profile, builtin_profiles, load_profile

HEAD = "schema: 1\nname: p\n"
# what profiles and YAML are made of, so that a random file gets past the first token
WORDS = [
    *[
        "schema",
        "name",
        "p",
        "1",
        "select",
        "tiers",
        "rules",
        "limits",
        "plugins",
        "extends",
        "full",
        "kinds",
        "file",
        "when",
        "points",
        "text",
        "0755",
        "MiB",
    ],
    *[
        ":",
        "-",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        '"',
        "*/x/*",
        "&a",
        "*a",
        "!t",
        "|",
        ">",
        "#",
        "?",
        "---",
        "...",
        "%YAML",
        "~",
        "\\",
        "\\x00",
        "\u202e",
        "{type}",
        "\ufeff",
        "<<",
    ],
    *(" ", "\n", "\n  ", "\t", ": "),
]


def assert_profile_or_place(path):
    """The file is a profile that survives its JSON form, or the error says where it is not."""
    said = None
    try:
        profile = load_profile(path)
    except ProfileError as error:
        said = str(error)
    if said is None:
        assert Profile.from_json(profile.to_json()) == profile
    else:
        assert re.match(rf"({path.name}|full\.yaml):\d+: .", said)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=30).map("".join)))
@example('a: "\\Uffffffff"')
@example('a: "\\ud800"')
@example("%YAML " + "9" * 5000 + ".1\n---\na")
@example("%TAG ! tag:x\n---\n!y z")
@example("plugins: {a: {b: 1e99}}")
@example("plugins: {a: {b: '\\uFFFE'}}")
def test_any_text_is_a_profile_or_a_profile_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    for source in (text, HEAD + text):
        path.write_bytes(source.encode("utf-8", "surrogatepass"))
        assert_profile_or_place(path)


@pytest.mark.parametrize("name", builtin_profiles())
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(max_size=3)),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_builtin_profile_is_a_profile_or_a_profile_error(tmp_path_factory, name, damage):
    raw = bytearray(importlib.resources.files("triage.profiles").joinpath(f"{name}.yaml").read_bytes())
    for where, cut, put in damage:
        at = int(where * len(raw))
        raw[at : at + cut] = put
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(bytes(raw))
    assert_profile_or_place(path)
