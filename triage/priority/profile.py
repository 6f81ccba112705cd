"""Profiles: what a run reads and in which order, which analyzers run, how items score, what it may cost."""

# ruff: noqa: RUF009  (place() is dataclasses.field with our metadata)

from __future__ import annotations

import difflib
import hashlib
import importlib.resources
import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from triage.errors import UsageError
from triage.escape import show
from triage.priority import forms
from triage.priority.forms import Json, keys_of, place, record, several, unknown, write_record
from triage.priority.records import (
    PLUGINS,
    Carve,
    CategoryRow,
    Compare,
    Filter,
    HashsetUse,
    Limits,
    Paths,
    Program,
    Rule,
    Select,
    SizeRange,
    Tier,
    When,
    rules_form,
)
from triage.priority.selection import Selector, Tiers
from triage.priority.yamlfile import Value, decode, read_yaml, read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triage.model import Entry

SCHEMA = 1
"""The version of the file's shape that this triage reads."""
FINGERPRINTS = ("sampled", "full")
MAX_PARENTS = 8
"""How many profiles may extend each other in a row."""
_OWN = frozenset({"schema", "name", "description", "extends"})
"""Keys that say something about one file and are not handed down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A resolved profile: its parents are merged in, every default is filled in."""

    schema: int = place(forms.whole(SCHEMA, SCHEMA), "version of this file's shape")
    name: str = place(forms.name(), "the profile's name")
    description: str = place(forms.text(), "one line about it", default="")
    select: Select = place(record(Select, where="select"), "whose content is read; all names are always listed", default=Select())
    tiers: tuple[Tier, ...] = place(
        several(record(Tier, where="tier"), alone=False),
        "order of work; the first that fits decides",
        default=(),
    )
    plugins: Mapping[str, Mapping[str, Any]] = place(PLUGINS, "analyzers and their options; enabled: false switches one off", default={})
    rules: tuple[Rule, ...] = place(rules_form(), "how items score", default=())
    hashsets: tuple[HashsetUse, ...] = place(
        several(
            record(HashsetUse, where="hashset", short=("name", forms.text("a name or file", longest=1000))),
            alone=False,
        ),
        "hash lists to match with, by name or file",
        default=(),
    )
    categories: tuple[CategoryRow, ...] = place(
        several(record(CategoryRow, where="categories"), alone=False), "what the categories of lists are called and mean", default=()
    )
    programs: tuple[Program, ...] = place(
        several(record(Program, where="programs"), alone=False), "programs that are noted when they are, or were, there", default=()
    )
    compare: Compare = place(record(Compare, where="compare"), "what is compared by likeness", default=Compare())
    carve: Carve = place(record(Carve, where="carve"), "what is looked for by content where no file is", default=Carve())
    limits: Limits = place(record(Limits, where="limits"), "what a run may cost", default=Limits())
    fingerprint: str = place(forms.choice(FINGERPRINTS, "fingerprint"), "how evidence is recognised again", default="sampled")
    folder: Path | None = field(default=None, compare=False)
    """Where files named in ``hashsets`` are looked for; not part of the profile's identity."""
    sha256: str = field(init=False, compare=False)
    """Digest of the resolved profile's canonical JSON."""
    _selector: Selector = field(init=False, repr=False, compare=False)
    _tiers: Tiers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        object.__setattr__(self, "sha256", hashlib.sha256(canonical.encode("ascii")).hexdigest())
        object.__setattr__(self, "_selector", Selector(self.select))
        object.__setattr__(self, "_tiers", Tiers(self.tiers))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as JSON: what is compiled is compiled again."""
        return type(self).from_json, (self.to_json(), self.folder)

    def select_reason(self, entry: Entry) -> str | None:
        """Return why the entry's content is not read (``profile: …``, ``no content: …``), or ``None``."""
        return self._selector.reason(entry)

    def tier_of(self, entry: Entry) -> int:
        """Return the index of the first tier that the entry fits; ``len(tiers)`` when it fits none."""
        return self._tiers.of(entry)

    def tier_name(self, index: int) -> str:
        """Return what a tier is called, also the one of everything that fits none."""
        return self.tiers[index].name if index < len(self.tiers) else "everything else"

    def enabled_plugins(self) -> dict[str, dict[str, Any]]:
        """Return the options of each analyzer that the profile names and does not switch off."""
        return {
            name: {key: value for key, value in options.items() if key != "enabled"}
            for name, options in self.plugins.items()
            if options.get("enabled", True)
        }

    def to_json(self) -> Json:
        """Return the resolved profile with the keys and shapes of the file."""
        return write_record(self)

    @classmethod
    def from_json(cls, data: Json, folder: Path | None = None) -> Self:
        """Build a profile from :meth:`to_json`'s form. Raises ``ProfileError``."""
        profile: Self = _PROFILE.read(read_yaml(json.dumps(data, ensure_ascii=False, indent=1), "profile"))
        return replace(profile, folder=folder)


_PROFILE = record(Profile, where="profile")


@cache
def _builtin_names() -> tuple[str, ...]:
    folder = importlib.resources.files("triage.profiles")
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def builtin_profiles() -> list[str]:
    """Return the names of the profiles that ship with triage."""
    return list(_builtin_names())


@dataclass(frozen=True, slots=True)
class _Source:
    """A profile's tree and where it came from; ``folder`` is ``None`` for a built-in one."""

    key: str
    shown: str
    folder: Path | None
    tree: Value


def _open(name: str, base: Path | None, search: Iterable[Path], asked_at: Value | None) -> _Source:
    """Find a profile: a file if it is written like one, else built in, else ``NAME.yaml`` in ``search``."""
    looks_like_file = name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name
    if not looks_like_file:
        if name in _builtin_names():
            file = f"{name}.yaml"
            raw = importlib.resources.files("triage.profiles").joinpath(file).read_bytes()
            return _Source(f"builtin:{name}", file, None, read_yaml(decode(raw, file), file))
        candidates = [folder / f"{name}.yaml" for folder in search]
        if asked_at is None:
            candidates.append(Path(name))
    else:
        candidates = [Path(name) if base is None else base / name]
    for path in candidates:
        if path.is_file():
            return _Source(str(path.resolve()), path.name, path.parent, read_yaml_file(path))
    what = "no profile file" if looks_like_file else "no profile named"
    near = difflib.get_close_matches(name, _builtin_names(), n=1, cutoff=0.5)
    hint = (f"did you mean '{near[0]}'? " if near else "") + f"built in: {', '.join(_builtin_names())}, or give a file"
    if asked_at is not None:
        raise asked_at.error(f"extends: {what} '{name}'", hint=hint)
    raise UsageError(f"{what} '{show(name)}'", hint=hint)


def _checked_top(source: _Source) -> dict[str, Value]:
    """Return a file's keys once it is of a version that is read here."""
    top = source.tree.data
    if not isinstance(top, dict):
        raise source.tree.error("a profile is a mapping (key: value)")
    schema = top.get("schema")
    if schema is None:
        raise source.tree.error(f"'schema' is missing: begin the profile with 'schema: {SCHEMA}'")
    if isinstance(schema.data, str) and schema.data.isdecimal() and schema.data != str(SCHEMA):
        raise schema.error(f"schema {schema.data} is not read here: this version of triage reads schema {SCHEMA}")
    if "name" not in top:
        raise source.tree.error("'name' is missing")
    known = {*keys_of(Profile), "extends"}
    for key, value in top.items():
        if key not in known:
            raise unknown(value, key, known, "key in profile:")
    return top


def load_profile(name_or_path: str | Path, search: Iterable[Path] = ()) -> Profile:
    """Return the resolved profile of a built-in name, a name in the ``search`` folders, or a file.

    Raises ``UsageError`` when there is none, ``ProfileError`` (``file:line: what``) when it cannot be used.
    """
    folders = tuple(search)
    chain: list[_Source] = []
    name, base, asked_at = str(name_or_path), None, None
    while True:
        source = _open(name, base, folders, asked_at)
        if asked_at is not None and source.key in {s.key for s in chain}:
            way = " → ".join(s.shown for s in (*chain, source))
            raise asked_at.error(f"extends goes in a circle: {way}")
        chain.append(source)
        asked_at = _checked_top(source).get("extends")
        if asked_at is None or asked_at.is_absent():
            break
        if len(chain) > MAX_PARENTS:
            raise asked_at.error(f"more than {MAX_PARENTS} profiles extend each other")
        if not isinstance(asked_at.data, str):
            raise asked_at.error("extends: one parent's name or file is wanted here")
        name, base = asked_at.data, source.folder
    return _resolve(chain)


def _resolve(chain: list[_Source]) -> Profile:
    """Merge a profile (first) with its parents (behind it) and read the result."""
    merged = chain[-1].tree
    for source in reversed(chain[:-1]):
        merged = _with_parent(merged, source.tree)
    own = {key: value for key, value in _keys(merged).items() if key != "extends"}
    profile: Profile = _PROFILE.read(replace(merged, data=own))
    lists_folder = next((source.folder for source in chain if "hashsets" in _keys(source.tree)), None)
    return replace(profile, folder=lists_folder)


def _with_parent(parent: Value, child: Value) -> Value:
    handed_down = {key: value for key, value in _keys(parent).items() if key not in _OWN}
    merged = _keys(_merge(replace(parent, data=handed_down), child))
    for key in ("rules", "programs"):
        rows, own = handed_down.get(key), _keys(child).get(key)
        if rows is not None and own is not None:
            merged[key] = _merge_named(rows, own)
    return replace(child, data=merged)


def _keys(tree: Value) -> dict[str, Value]:
    return tree.data if isinstance(tree.data, dict) else {}


def _merge(parent: Value, child: Value) -> Value:
    """Merge two mappings by key; anything else is the child's, unless nothing stands there."""
    if child.is_absent():
        return parent
    if not isinstance(parent.data, dict) or not isinstance(child.data, dict):
        return child
    both = {key: _merge(parent.data[key], value) if key in parent.data else value for key, value in child.data.items()}
    ordered = {key: both.get(key, value) for key, value in parent.data.items()}
    return replace(child, data={**ordered, **both})


def _merge_named(parent: Value, child: Value) -> Value:
    """Merge rows by their names: one of a parent's name changes that row, another is added at the end."""
    if not isinstance(parent.data, list) or not isinstance(child.data, list):
        return parent if child.is_absent() else child
    rules = list(parent.data)
    places = {_name_of(rule): index for index, rule in enumerate(rules)}
    for rule in child.data:
        index = places.get(_name_of(rule))
        if index is None or not _name_of(rule):
            rules.append(rule)
        else:
            rules[index] = _merge(rules[index], rule)
    return replace(child, data=rules)


def _name_of(rule: Value) -> str:
    name = rule.data.get("name") if isinstance(rule.data, dict) else None
    return name.data if name is not None and isinstance(name.data, str) else ""


__all__ = [
    "SCHEMA",
    "Carve",
    "CategoryRow",
    "Compare",
    "Filter",
    "HashsetUse",
    "Limits",
    "Paths",
    "Profile",
    "Program",
    "Rule",
    "Select",
    "SizeRange",
    "Tier",
    "When",
    "builtin_profiles",
    "load_profile",
]
