from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from triage.commands.profile import profile
from triage.errors import ProfileError
from triage.priority.profile import Profile, builtin_profiles, load_profile
from triage.priority.schema import schema_text


def run(*words):
    # As below the command itself: the names of the help option are kept from the first call on.
    result = CliRunner().invoke(profile, words, help_option_names=["-h", "--help"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_gives_every_builtin_profile_with_its_digest():
    rows = [json.loads(line) for line in run("list", "--format", "jsonl").splitlines()]
    assert [row["name"] for row in rows] == builtin_profiles() == ["full", "media", "quick"]
    assert all(row["sha256"] == load_profile(row["name"]).sha256 and row["description"] for row in rows)


def test_show_as_json_is_the_resolved_profile_which_a_file_may_hold(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(run("show", "quick", "--format", "json"), encoding="utf-8")
    assert load_profile(path) == load_profile("quick")
    assert Profile.from_json(json.loads(path.read_text(encoding="utf-8"))) == load_profile("quick")


def test_show_as_rows_names_what_is_inherited():
    rows = {
        row["key"]: row["value"]
        for row in map(json.loads, run("show", "quick", "--format", "jsonl").splitlines())
    }
    assert rows["name"] == "quick"
    assert rows["limits.orphan_search"] == "20.0"
    assert rows["limits.stall"] == "10.0"
    assert rows["rules[0]"]["name"] == "notable-hash"


def test_check_says_ok_or_stops_with_the_place(tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text("schema: 1\nname: lab\nextends: quick\n", encoding="utf-8")
    row = json.loads(run("check", str(path), "--format", "jsonl"))
    assert (row["name"], row["result"]) == ("lab", "ok")
    path.write_text("schema: 1\nname: lab\nextend: quick\n", encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        run("check", str(path))
    assert str(caught.value).startswith(
        "lab.yaml:3: unknown key in profile: 'extend' (did you mean 'extends'?"
    )
    assert caught.value.exit_code == 2


def test_schema_prints_what_the_package_holds():
    assert run("schema") == schema_text()


@pytest.mark.parametrize("command", ["list", "show", "check", "schema"])
def test_every_command_has_help_with_an_example(command):
    assert "Example:" in run(command, "--help")
