from __future__ import annotations

import json
import pickle
import time

import pytest

from triage.errors import ProfileError, UsageError
from triage.priority.profile import MAX_PARENTS, Profile, builtin_profiles, load_profile
from triage.priority.yamlfile import MAX_BYTES

HEAD = "schema: 1\nname: p\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="p.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return path

    return write


def refusal(path):
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


RULE = "rules:\n  - name: r\n    points: 5\n    text: t\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "select: {}\nlimits: {}\nselect: {}\n",
            "p.yaml:5: 'select' stands here twice; the first is in line 3",
        ),
        (
            "select:\n  kinds: [file]\n  kinds: [stream]\n",
            "p.yaml:5: 'kinds' stands here twice; the first is in line 4",
        ),
        (
            "limts:\n  stall: 5s\n",
            "p.yaml:3: unknown key in profile: 'limts' (did you mean 'limits'? known: carve, categories, compare, description, "
            "extends, fingerprint, hashsets, limits, name, plugins, programs, rules, schema, select, tiers)",
        ),
        (
            "select:\n  kind: [file]\n",
            "p.yaml:4: unknown key in select: 'kind' (did you mean 'kinds'? known: any, "
            "categories, extensions, kinds, paths, size, states)",
        ),
        (
            "select:\n  kinds:\n    - file\n    - fil\n",
            "p.yaml:6: unknown kind 'fil' (did you mean 'file'? known: cached, "
            "carved, derived, directory, file, link, slack, special, stream, unallocated)",
        ),
        (
            "select: {states: gone}\n",
            "p.yaml:3: unknown state 'gone' (known: allocated, cached, carved, deleted, derived, orphan)",
        ),
        (
            "limits:\n  stall: 10\n  item_bytes: 8 parsecs\n",
            "p.yaml:5: '8 parsecs' has no unit of size: use B, KiB, MiB, GiB, TiB (1024s) or kB, MB, GB, TB (1000s)",
        ),
        (
            "limits:\n  item_bytes: 64M\n",
            "p.yaml:4: '64M' is ambiguous: write 64 MiB (1024s) or 64 MB (1000s)",
        ),
        ("limits:\n  stall: 0s\n", "p.yaml:4: a duration must be longer than nothing"),
        ("limits: [a]\n", "p.yaml:3: limits: a mapping (key: value) is wanted here"),
        ("limits:\n  jobs: 0\n", "p.yaml:4: 0 is out of range: 1 to 1024"),
        ("limits:\n  jobs: many\n", "p.yaml:4: 'many' is not a whole number or auto"),
        (
            "limits:\n  memory: 1 MiB\n",
            "p.yaml:4: limits: memory is less than the 256 MiB that a worker needs",
        ),
        ("fingerprint: [full]\n", "p.yaml:3: a fingerprint is wanted here, not a list"),
        (
            "fingerprint: ful\n",
            "p.yaml:3: unknown fingerprint 'ful' (did you mean 'full'? known: full, sampled)",
        ),
        (
            "select: {paths: [/Users/*]}\n",
            "p.yaml:3: '/Users/*' matches nothing: paths begin with the volume's name, so write '*/Users/*'",
        ),
        (
            "select: {extensions: ['*.j?g']}\n",
            "p.yaml:3: '*.j?g' is not an extension: write jpg, not a pattern",
        ),
        ("select: {size: {min: 2 MiB, max: 1 MiB}}\n", "p.yaml:3: size: min is larger than max"),
        ("tiers: {name: x}\n", "p.yaml:3: a list is wanted here"),
        ("tiers:\n  - kinds: file\n", "p.yaml:4: tier: 'name' is missing"),
        ("rules:\n  - {name: r, text: t}\n", "p.yaml:4: rule: 'points' is missing"),
        ("rules:\n  - {name: r, points: 1.5, text: t}\n", "p.yaml:4: '1.5' is not a whole number"),
        (
            "rules:\n  - {name: r, points: 1, text: t}\n  - {name: r, points: 2, text: t}\n",
            "p.yaml:5: two rules are called 'r'",
        ),
        (
            "rules:\n  - {name: r, points: 1, text: '{path}'}\n",
            "p.yaml:4: rule: the text names {path}; it may name {category}, {extension}, {finding}, {folder}, {likeness}, {set}, {type}",
        ),
        (
            "rules:\n  - {name: r, points: 1, text: '{type.__class__}'}\n",
            "p.yaml:4: rule: the text names "
            "{type.__class__}; it may name {category}, {extension}, {finding}, {folder}, {likeness}, {set}, {type}",
        ),
        (
            "rules:\n  - {name: r, points: 1, text: '{type!r}'}\n",
            "p.yaml:4: rule: the text names {type}; it may name {category}, {extension}, {finding}, {folder}, {likeness}, {set}, {type}",
        ),
        (
            "rules:\n  - {name: r, points: 1, text: 'on {set}'}\n",
            "p.yaml:4: rule: {set} needs a 'known:' condition that names a list's meaning, or an 'alike:' condition",
        ),
        (
            "plugins:\n  exif: true\n",
            "p.yaml:4: plugin 'exif': a mapping (option: value) is wanted here; {} for none",
        ),
        ("plugins:\n  exif: {enabled: no}\n", "p.yaml:4: enabled: is neither true nor false"),
        (
            "select: &a {}\nlimits: {}\n",
            "p.yaml:3: anchors (&) and aliases (*) are not read here (put text that begins with * or & in quotes: '*/Users/*')",
        ),
        (
            "select: {paths: [*x]}\n",
            "p.yaml:3: anchors (&) and aliases (*) are not read here (put text that begins with * or & in quotes: '*/Users/*')",
        ),
        (
            "description: !!python/object/apply:os.system [id]\n",
            "p.yaml:3: tags are not read here: 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        (
            "description: a\u202eb\n",
            "p.yaml:3: characters that cannot be seen are not read here: 'a\\u202eb'",
        ),
        ("description: |\n  a\n\n  b\n\x07\n", "p.yaml:7: not text: character U+0007"),
        (
            "---\nname: q\n",
            "p.yaml:3: not YAML: expected a single document in the stream, but found another document",
        ),
        ("schema: 1\n", "p.yaml:3: 'schema' stands here twice; the first is in line 1"),
        (
            "extends: nobody\n",
            "p.yaml:3: extends: no profile named 'nobody' (built in: full, media, quick, or give a file)",
        ),
        ("extends: [full]\n", "p.yaml:3: extends: one parent's name or file is wanted here"),
        ("hashsets: [{name: ''}]\n", "p.yaml:3: hashset: the name is empty"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_nearest_right_word(write, body, said):
    assert refusal(write(HEAD + body)) == said


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("near_notable: yes", "p.yaml:7: 'yes' is neither true nor false"),
        ("near_notable: 1", "p.yaml:7: '1' is neither true nor false"),
        ("after: 2026-02-31", "p.yaml:7: '2026-02-31' is not a date of the calendar"),
        ("after: 1:30", "p.yaml:7: '1:30' is not a date: write 2026-01-31 or 2026-01-31T23:59:00Z (UTC)"),
        ("copies: {min: 010}", "p.yaml:7: '010' is not a number"),
        ("known: [good]", "p.yaml:7: unknown meaning 'good' (known: ignorable, known, none, notable)"),
        (
            "kindz: file",
            "p.yaml:7: unknown key in when: 'kindz' (did you mean 'kinds'? known: after, alike, alike_notable, before, "
            "categories, "
            "copies, entropy, extension_mismatch, extensions, findings, kinds, known, near_notable, paths, "
            "recoverability, size, states, types)",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_named_with_its_line(write, condition, said):
    assert refusal(write(f"{HEAD}{RULE}    when: {{{condition}}}\n")) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.yaml:1: the file is empty"),
        ("# nothing\n", "p.yaml:1: the file is empty"),
        ("- a\n", "p.yaml:1: a profile is a mapping (key: value)"),
        ("name: p\n", "p.yaml:1: 'schema' is missing: begin the profile with 'schema: 1'"),
        ("schema: 1\n", "p.yaml:1: 'name' is missing"),
        (
            "schema: 2\nname: p\n",
            "p.yaml:1: schema 2 is not read here: this version of triage reads schema 1",
        ),
        ("schema: one\nname: p\n", "p.yaml:1: 'one' is not a whole number"),
        (
            "schema: 1\nname: a/b\n",
            "p.yaml:2: 'a/b' is not a name: write letters, digits, '_', '.' or '-' (at most 64)",
        ),
        (b"schema: 1\nname: \xff\n", "p.yaml:2: not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), "p.yaml:1: larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_profile_says_so(write, text, said):
    assert refusal(write(text)) == said


def test_words_that_yaml_turns_into_other_things_stay_text(write):
    profile = load_profile(
        write(
            HEAD + "description: no\nhashsets: [0755, on, 2026-01-02, 1:30, ~x]\nrules:\n"
            "  - {name: 0755, points: 1, text: yes, when: {types: [3gp, 7z], extensions: [001, .JPG]}}\n"
        )
    )
    assert profile.description == "no"
    assert [use.name for use in profile.hashsets] == ["0755", "on", "2026-01-02", "1:30", "~x"]
    assert profile.rules[0].name == "0755"
    assert profile.rules[0].text == "yes"
    assert profile.rules[0].when.extensions == ("001", "jpg")


def test_plugin_options_are_read_as_json_would_be(write):
    profile = load_profile(
        write(
            HEAD + "plugins: {a: {on: true, off: no, n: 5, o: 0755, q: '5', f: 0.5, "
            "l: [1, x], d: 2026-01-02}, b: , "
            "c: {enabled: false, x: 1}}\n"
        )
    )
    assert profile.plugins["a"] == {
        "on": True,
        "off": "no",
        "n": 5,
        "o": "0755",
        "q": "5",
        "f": 0.5,
        "l": [1, "x"],
        "d": "2026-01-02",
    }
    assert set(profile.enabled_plugins()) == {"a", "b"}
    assert load_profile(write(HEAD + "plugins: {a: {enabled: true, x: 1}}\n")).enabled_plugins() == {"a": {"x": 1}}


def test_a_byte_order_mark_and_crlf_are_passed_over(write):
    assert load_profile(write("\ufeff" + HEAD.replace("\n", "\r\n"))).name == "p"


def test_a_bomb_of_depth_or_number_is_refused_at_once(write):
    began = time.perf_counter()
    for text in ("[" * 500_000, "{a: " * 100_000, "- " * 300_000, "? " * 100_000):
        assert "deep in each other" in refusal(write(text))
    assert "more than 50000 keys and values" in refusal(write("- a\n" * 200_000))
    assert time.perf_counter() - began < 20


def test_a_child_is_merged_into_its_parent_by_key(write):
    write(
        "schema: 1\nname: parent\ndescription: of the parent\nselect: {kinds: file, size: {max: 1 MiB}}\n"
        "plugins: {exif: {location: false}}\nlimits: {stall: 5s, restarts: 3}\nhashsets: [a]\n"
        "rules: [{name: one, points: 1, text: first, when: {kinds: file}}, "
        "{name: two, points: 2, text: second}]\n",
        "parent.yaml",
    )
    child = load_profile(
        write(
            HEAD + "extends: parent.yaml\nselect: {size: {min: 1 KiB}}\n"
            "plugins: {exif: {enabled: false}, other: {}}\nlimits: {stall: 9s}\n"
            "rules:\n  - {name: two, points: 0}\n  - {name: one, when: {states: deleted}}\n"
            "  - {name: three, points: 3, text: third}\n"
        )
    )
    assert (child.name, child.description) == ("p", "")
    assert child.select.kinds == ("file",)
    assert (child.select.size.min, child.select.size.max) == (1024, 1 << 20)
    assert child.plugins == {"exif": {"location": False, "enabled": False}, "other": {}}
    assert (child.limits.stall_seconds, child.limits.restarts) == (9, 3)
    assert [(rule.name, rule.points, rule.text) for rule in child.rules] == [
        ("one", 1, "first"),
        ("two", 0, "second"),
        ("three", 3, "third"),
    ]
    assert (child.rules[0].when.kinds, child.rules[0].when.states) == (("file",), ("deleted",))
    assert [use.name for use in child.hashsets] == ["a"]


def test_a_mistake_of_the_parent_is_named_in_the_parents_file(write):
    write("schema: 1\nname: parent\nlimits:\n  stall: x\n", "parent.yaml")
    assert refusal(write(HEAD + "extends: parent.yaml\n")).startswith("parent.yaml:4: 'x' is not a duration")


def test_an_empty_list_takes_a_parents_restriction_away(write):
    write("schema: 1\nname: parent\nselect: {kinds: file}\n", "parent.yaml")
    assert load_profile(write(HEAD + "extends: parent.yaml\nselect: {kinds: []}\n")).select.kinds == ()


def test_parents_in_a_circle_are_refused(write):
    write("schema: 1\nname: b\nextends: p.yaml\n", "b.yaml")
    assert refusal(write(HEAD + "extends: b.yaml\n")) == "b.yaml:3: extends goes in a circle: p.yaml → b.yaml → p.yaml"
    assert refusal(write(HEAD + "extends: p.yaml\n")) == "p.yaml:3: extends goes in a circle: p.yaml → p.yaml"


def test_too_many_parents_are_refused(write):
    for n in range(MAX_PARENTS + 1):
        write(f"schema: 1\nname: n{n}\nextends: {n + 1}.yaml\n", f"{n}.yaml")
    last = write("schema: 1\nname: last\n", f"{MAX_PARENTS + 1}.yaml")
    assert "more than 8 profiles extend each other" in refusal(last.parent / "0.yaml")
    assert load_profile(last.parent / "1.yaml").name == "n1"


def test_a_profile_is_found_by_name_in_the_folders_searched(write, tmp_path):
    write(HEAD + "extends: parent\n", "lab.yaml")
    write("schema: 1\nname: parent\nfingerprint: full\n", "parent.yaml")
    assert load_profile("lab", search=[tmp_path]).fingerprint == "full"
    with pytest.raises(UsageError) as caught:
        load_profile("quik", search=[tmp_path])
    assert str(caught.value) == "no profile named 'quik' (did you mean 'quick'? built in: full, media, quick, or give a file)"


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError) as caught:
            load_profile(path)
        assert str(caught.value).startswith("no profile file '")


def test_list_files_are_looked_for_beside_the_profile_that_names_them(write, tmp_path):
    (tmp_path / "lab").mkdir()
    write(
        "schema: 1\nname: lab\nhashsets: [case-17, {name: notable.txt, meaning: notable, category: c}]\n",
        "lab/lab.yaml",
    )
    profile = load_profile(write(HEAD + "extends: lab/lab.yaml\n"))
    assert profile.folder == tmp_path / "lab"
    assert [(use.is_file, use.meaning) for use in profile.hashsets] == [(False, None), (True, "notable")]


def test_the_digest_names_the_resolved_profile_and_not_its_place(write, tmp_path):
    text = "schema: 1\nname: p\nselect: {size: {max: 1 MiB}}\n"
    one = load_profile(write(text))
    again = load_profile(
        write(
            "# other words\nselect:\n    size: {max: 1024 KiB, min: }\nlimits: {stall: 10}\nname: 'p'\nschema: 1\n",
            "other.yaml",
        )
    )
    changed = load_profile(write(text + "limits: {stall: 11s}\n", "changed.yaml"))
    assert one.sha256 == again.sha256
    assert one == again
    assert changed.sha256 != one.sha256
    assert str(tmp_path) not in json.dumps(one.to_json())


@pytest.mark.parametrize("name", builtin_profiles())
def test_a_builtin_profile_comes_back_from_json_and_from_pickle(name):
    profile = load_profile(name)
    for copy in (
        Profile.from_json(json.loads(json.dumps(profile.to_json()))),
        pickle.loads(pickle.dumps(profile)),
    ):
        assert copy == profile
        assert copy.sha256 == profile.sha256
        assert copy.limits == profile.limits
    assert len(profile.sha256) == 64


def test_every_kind_of_value_comes_back_from_json(write):
    profile = load_profile(
        write(
            HEAD + "description: 'a \"b\" \\ é 😀'\n"
            "select: {any: [{kinds: file, size: {min: 1}}, {paths: {exclude: ['*/x/*']}}]}\n"
            "tiers: [{name: t, extensions: [JPG]}]\n"
            "plugins: {p: {a: 1.5, b: [x, '1', null], c: {d: '0x1'}}}\n"
            "rules: [{name: r, points: -5, text: 'in {folder}', when: {after: 1999-01-01, "
            "before: 2026-01-31T12:30:00Z, entropy: {min: 7.5}, near_notable: false, known: none}}]\n"
            "hashsets: [a, b.txt]\nlimits: {jobs: 4, stall: 500ms}\n"
        )
    )
    assert Profile.from_json(profile.to_json()) == profile
    assert profile.rules[0].when.before == 1769862600 * 10**9
