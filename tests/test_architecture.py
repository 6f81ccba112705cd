"""The rules of docs/architecture.md that a reader would otherwise have to check by eye."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# From left to right: a room may import from its own column and from those before it, never from a later one.
COLUMNS = (
    ("", "model", "errors", "escape"),  # "" is triage/__init__.py: the version and nothing else
    ("evidence", "filesystem", "content"),
    ("carving", "hashsets", "search", "artifacts", "logical"),
    ("plugin", "registry"),
    ("case", "priority", "engine"),
    ("report", "review"),
    ("commands", "cli", "__main__"),
)
COLUMN_OF = {room: number for number, rooms in enumerate(COLUMNS) for room in rooms}

# What only some rooms may import. A native library that parses evidence stays behind one border.
ONLY_IN = {
    "click": {"cli", "commands"},
    "rich": {"cli", "commands"},
    "pytsk3": {"evidence", "filesystem"},
    "pyewf": {"evidence"},
    "pyfvde": {"evidence"},
    "pyvshadow": {"evidence"},
    "cramjam": {"evidence"},
    "pyfsapfs": {"filesystem"},
    "deflate": {"evidence"},
    "magic": {"content"},
    "pylibmagic": {"content"},
    "PIL": {"content"},
    "simplejpeg": {"content"},
    "av": {"content"},
    "hyperscan": {"carving"},
    "cryptography": {"case", "evidence", "logical"},
    "re2": {"artifacts"},
    "xml": {"artifacts"},
    "plistlib": set(),
    "zipfile": {"evidence", "hashsets"},  # containers that are archives (AFF4), lists that come packed
    "tarfile": set(),
    "sqlite3": {"case", "hashsets", "artifacts"},
}
# What turns bytes into code or objects: answers of workers, profiles and evidence are data.
NOWHERE = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "imp", "telnetlib"}
RUNS_TEXT = {"eval", "exec", "builtins.eval", "builtins.exec", "os.system", "os.popen"}
# The registry runs a plugin's file from the very bytes whose digest the case records.
MAY_RUN_TEXT = {("triage.registry", "exec")}
# The exit code is chosen in one place. A worker is a process of its own; the hook makes it go wrong.
MAY_EXIT = {"triage.cli", "triage.__main__", "triage.engine.worker", "triage.engine.testhook"}
EXITS = {"sys.exit", "exit", "quit", "os._exit", "os.abort"}
# What a plugin may import of the project.
FOR_PLUGINS = ("triage.plugin", "triage.model", "triage.artifacts")

MOST_LINES = 600


class Module(NamedTuple):
    """A source file of the project: its dotted name, its room, its path."""

    name: str
    room: str
    path: Path


class Import(NamedTuple):
    """One import: the module that is meant, and the line."""

    target: str
    line: int


def _modules() -> Iterator[Module]:
    for path in sorted((ROOT / "triage").rglob("*.py")):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        yield Module(".".join(parts), parts[1] if len(parts) > 1 else "", path)
    for path in sorted((ROOT / "plugins").glob("*.py")):
        yield Module(f"triage.plugins.{path.stem}", "plugins", path)


MODULES = tuple(_modules())
TRIAGE = tuple(m for m in MODULES if m.room != "plugins")
PLUGINS = tuple(m for m in MODULES if m.room == "plugins" and m.path.stem != "__init__")
NAMES = {m.name for m in MODULES}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(tree: ast.Module, package: str) -> list[Import]:
    """Return every import, also inside functions, under TYPE_CHECKING and by ``import_module("literal")``."""
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                kept = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*kept, base] if base else kept)
            found += [Import(f"{base}.{alias.name}", node.lineno) for alias in node.names]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                found.append(Import(node.args[0].value, node.lineno))
    return found


@cache
def _imports(module: Module) -> list[Import]:
    package = module.name if module.path.stem == "__init__" else module.name.rpartition(".")[0]
    return imports_of(_tree(module.path), package)


def _room_of(target: str) -> str | None:
    """Return the room that an import of ours leads to, ``None`` for one from elsewhere."""
    parts = target.split(".")
    if parts[0] != "triage":
        return None
    if len(parts) > 1 and (f"triage.{parts[1]}" in NAMES or parts[1] in {*COLUMN_OF, "plugins"}):
        return parts[1]
    return ""


def _place(module: Module, line: int) -> str:
    return f"{module.path.relative_to(ROOT)}:{line}"


def test_the_reader_of_imports_sees_every_form() -> None:
    source = (
        "import a.b as c\nfrom d import e\nfrom . import f\nfrom .g import h\nfrom ..i import j\n"
        "def late():\n    import k\nif TYPE_CHECKING:\n    from l import m\nimportlib.import_module('n')\n"
    )
    targets = {i.target for i in imports_of(ast.parse(source), "triage.room.inner")}
    assert targets == {
        "a.b", "d.e", "triage.room.inner.f", "triage.room.inner.g.h", "triage.room.i.j", "k", "l.m", "n"
    }


def test_every_module_stands_in_a_room_that_the_table_knows() -> None:
    unknown = {m.room for m in TRIAGE} - set(COLUMN_OF)
    assert not unknown, f"give {unknown} a column here and in docs/architecture.md"


def test_nobody_imports_to_the_right() -> None:
    wrong = [
        f"{_place(module, found.line)}: {module.room or 'triage'} imports {found.target}"
        for module in TRIAGE
        for found in _imports(module)
        if (room := _room_of(found.target)) is not None
        and COLUMN_OF.get(room, len(COLUMNS)) > COLUMN_OF[module.room]
    ]
    assert not wrong, "\n".join(wrong)


def test_rooms_of_one_column_do_not_need_each_other_in_a_circle() -> None:
    needs: dict[str, set[str]] = defaultdict(set)
    for module in TRIAGE:
        for found in _imports(module):
            room = _room_of(found.target)
            if room is not None and room != module.room:
                needs[module.room].add(room)
    circles = sorted(
        (a, b) for a in needs for b in needs[a] if a < b and a in needs.get(b, set())
    )
    assert not circles


@pytest.mark.parametrize("library", sorted(ONLY_IN))
def test_a_library_stays_in_its_rooms(library: str) -> None:
    wrong = [
        f"{_place(module, found.line)} imports {found.target}"
        for module in TRIAGE
        for found in _imports(module)
        if found.target.split(".")[0] == library and module.room not in ONLY_IN[library]
    ]
    assert not wrong, "\n".join(wrong)


def test_plugins_import_only_what_is_made_for_them() -> None:
    offered = tuple(f"{name}." for name in FOR_PLUGINS)
    wrong = [
        f"{_place(module, found.line)} imports {found.target}"
        for module in PLUGINS
        for found in _imports(module)
        if found.target.split(".")[0] == "triage" and not f"{found.target}.".startswith(offered)
    ]
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_a_plugin_by_name() -> None:
    wrong = [
        f"{_place(module, found.line)} imports {found.target}"
        for module in MODULES
        for found in _imports(module)
        if found.target.startswith("triage.plugins.")
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_unpickles_or_evaluates_data() -> None:
    wrong = []
    for module in MODULES:
        wrong += [
            f"{_place(module, found.line)} imports {found.target}"
            for found in _imports(module)
            if found.target.split(".")[0] in NOWHERE
        ]
        for node in ast.walk(_tree(module.path)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            if called in RUNS_TEXT and (module.name, called) not in MAY_RUN_TEXT:
                wrong.append(f"{_place(module, node.lineno)} calls {called}")
            if any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in node.keywords):
                wrong.append(f"{_place(module, node.lineno)} starts a shell")
    assert not wrong, "\n".join(wrong)


def _last_name(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2]


def unsafe_yaml(tree: ast.Module) -> list[int]:
    """Return the lines where YAML is loaded by anything but a safe loader or a class made from one."""
    safe = {"SafeLoader", "CSafeLoader"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and any(_last_name(base) in safe for base in node.bases):
            safe.add(node.name)
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if ast.unparse(node.func.value) != "yaml":
            continue
        if node.func.attr in {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all"}:
            lines.append(node.lineno)
        elif node.func.attr in {"load", "load_all"}:
            loaders = [k.value for k in node.keywords if k.arg == "Loader"] or node.args[1:2]
            if not loaders or _last_name(loaders[0]) not in safe:
                lines.append(node.lineno)
    return lines


def test_the_watch_over_yaml_knows_safe_from_unsafe() -> None:
    source = (
        "class Strict(yaml.SafeLoader): pass\nyaml.safe_load(x)\nyaml.load(x, Loader=Strict)\n"
        "yaml.load(x, yaml.CSafeLoader)\nyaml.load(x)\nyaml.load(x, Loader=yaml.Loader)\n"
        "yaml.full_load(x)\nyaml.load_all(x, Loader=yaml.FullLoader)\n"
    )
    assert unsafe_yaml(ast.parse(source)) == [5, 6, 7, 8]


def test_yaml_is_loaded_safely_everywhere() -> None:
    paths = [*(m.path for m in MODULES), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    wrong = [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in unsafe_yaml(_tree(path))]
    assert not wrong


def test_only_commands_print() -> None:
    wrong = [
        _place(module, node.lineno)
        for module in MODULES
        if module.room not in {"cli", "commands"}
        for node in ast.walk(_tree(module.path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong


def test_only_the_entrance_ends_the_process() -> None:
    wrong = [
        f"{_place(module, node.lineno)} calls {called}"
        for module in MODULES
        if module.name not in MAY_EXIT
        for node in ast.walk(_tree(module.path))
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in EXITS
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_holds_two_ideas() -> None:
    long = {
        str(module.path.relative_to(ROOT)): lines
        for module in MODULES
        if (lines := len(module.path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def _project_files() -> Iterator[Path]:
    for name in (".ci", ".editorconfig", ".gitattributes", ".pre-commit-config.yaml", "Makefile", "bench",
                 "docs", "plugins", "profiles", "pyproject.toml", "tests", "triage"):
        path = ROOT / name
        yield from (p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    yield from ROOT.glob("*.md")


TEXTS = {".py", ".sh", ".md", ".yaml", ".json", ".toml", ".js", ".css", ".html", ""}


def _texts() -> Iterator[tuple[Path, str]]:
    for path in sorted(_project_files()):
        if path.suffix in TEXTS and path.parent != ROOT / "tests" / "images":
            yield path, path.read_text(encoding="utf-8")


def test_no_file_names_the_machine_it_was_written_on() -> None:
    machine = re.compile(r"(?<![\w.*/\\])/(?:work|root|tmp)/\w")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:90]}"
        for path, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if machine.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_half_done() -> None:
    mark = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:90]}"
        for path, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if mark.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_list_of_packages_is_the_folders_that_exist() -> None:
    setuptools = PYPROJECT["tool"]["setuptools"]
    folders = {path.parent for path in (ROOT / "triage").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    found |= {name for name in setuptools["package-dir"] if name != "triage"}
    assert set(setuptools["packages"]) == found
    folders |= {ROOT / folder for folder in setuptools["package-dir"].values()}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_test_files_have_names_of_their_own() -> None:
    """Without __init__.py files pytest tells test modules apart by file name alone."""
    seen: dict[str, list[str]] = defaultdict(list)
    for path in (ROOT / "tests").rglob("test_*.py"):
        seen[path.name].append(str(path.relative_to(ROOT)))
    assert not {name: paths for name, paths in seen.items() if len(paths) > 1}


def test_the_page_on_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tops = [m for m in TRIAGE if m.name.count(".") == 1]
    names = [f"{m.room}/" if m.path.stem == "__init__" else f"{m.room}.py" for m in tops]
    assert not [name for name in names if name not in page]


def test_every_test_that_a_page_cites_exists() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
    missing = [
        f"{page.name}: {cited}"
        for page in pages
        for cited in re.findall(r"`(tests/[\w./-]+)`", page.read_text(encoding="utf-8"))
        if not (ROOT / cited).is_file() and not any((ROOT / cited).rglob("test_*.py")) and cited != "tests/images"
    ]
    assert not missing


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"))}
    assert named <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
