"""The pages about profiles and scores name every key, condition, limit and built-in rule there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from triage.priority.forms import keys_of
from triage.priority.profile import Filter, Limits, Profile, When, builtin_profiles, load_profile

DOCS = Path(__file__).parents[2] / "docs"


def words_of(page):
    return {
        word
        for code in re.findall(r"`([^`\n]+)`", (DOCS / page).read_text(encoding="utf-8"))
        for word in re.findall(r"[\w-]+", code)
    }


@pytest.mark.parametrize("record", [Profile, Filter, Limits])
def test_the_page_on_profiles_names_every_key(record):
    assert set(keys_of(record)) <= words_of("profiles.md")


def test_the_page_on_profiles_names_every_builtin_one():
    assert set(builtin_profiles()) <= words_of("profiles.md")


def test_the_page_on_scores_names_every_condition():
    assert set(keys_of(When)) <= words_of("scoring.md")


def test_the_page_on_scores_gives_every_builtin_rule_with_its_points():
    table = (DOCS / "scoring.md").read_text(encoding="utf-8").partition("## The built-in rules")[2]
    given = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[1].startswith("`"):
            names = re.findall(r"`([^`]+)`", cells[1])
            names = [name if name[0] != "-" else names[0].rpartition("-")[0] + name for name in names]
            points = [int(n) for n in re.findall(r"-?\d+", cells[2])]
            given.update(zip(names, points * len(names) if "each" in cells[2] else points, strict=False))
    assert given == {rule.name: rule.points for rule in load_profile("full").rules}


def test_the_example_on_the_page_is_a_profile(tmp_path):
    example = re.findall(r"```yaml\n(.*?)```", (DOCS / "profiles.md").read_text(encoding="utf-8"), re.DOTALL)[
        0
    ]
    path = tmp_path / "lab.yaml"
    path.write_text(example, encoding="utf-8")
    profile = load_profile(path)
    assert profile.limits.item_bytes == 20 << 30
    assert {rule.name: rule.points for rule in profile.rules}["camera"] == 0
