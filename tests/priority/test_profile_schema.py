from __future__ import annotations

import dataclasses
import importlib.resources

from triage.priority.forms import keys_of
from triage.priority.profile import Limits, Profile, Rule, When
from triage.priority.schema import profile_schema, schema_text

REFRESH = "refresh it: triage profile schema > profiles/schema.json"


def test_the_schema_in_the_package_is_the_one_the_records_make():
    stored = importlib.resources.files("triage.profiles").joinpath("schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), REFRESH


def test_the_schema_knows_every_key_and_no_other():
    schema = profile_schema()
    assert set(schema["properties"]) == {*keys_of(Profile), "extends"}
    assert schema["required"] == ["schema", "name"]
    assert not schema["additionalProperties"]
    rule = schema["properties"]["rules"]["items"]
    assert set(rule["properties"]) == set(keys_of(Rule))
    assert set(rule["properties"]["when"]["properties"]) == set(keys_of(When))


def test_every_key_says_what_it_is_for():
    for record in (Profile, Rule, When, Limits):
        for key, spec in keys_of(record).items():
            assert spec.metadata["about"], key


def test_limits_have_the_fields_that_the_engine_reads():
    assert {f.name for f in dataclasses.fields(Limits)} == {
        "stall_seconds",
        "orphan_seconds",
        "item_bytes",
        "memory",
        "orphans_per_volume",
        "entries_per_volume",
        "restarts",
        "jobs",
    }
    assert dataclasses.asdict(Limits()) == {
        "stall_seconds": 10.0,
        "orphan_seconds": 60.0,
        "item_bytes": 8 << 30,
        "memory": 4 << 30,
        "orphans_per_volume": 20_000,
        "entries_per_volume": 20_000_000,
        "restarts": 50,
        "jobs": 0,
    }
