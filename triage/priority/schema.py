"""The JSON schema of profiles, for editors; made from the same fields that read the file."""

from __future__ import annotations

import json

from triage.priority.forms import Json, record_schema
from triage.priority.profile import Profile


def profile_schema() -> Json:
    """Return the schema (JSON Schema 2020-12)."""
    schema = record_schema(Profile)
    properties = schema["properties"]
    properties["extends"] = {
        "type": "string",
        "description": "one parent, merged by key: a built-in profile's name, or a file",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "triage profile",
        **schema,
        "properties": properties,
    }


def schema_text() -> str:
    """Return the text of ``profiles/schema.json``."""
    return json.dumps(profile_schema(), indent=2) + "\n"
