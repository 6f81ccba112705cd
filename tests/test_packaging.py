"""What pip installs is all there, says what it is, and brings no licence that the project cannot carry."""

from __future__ import annotations

import ast
import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import triage

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]

# The GNU licences that a program's own licence would have to follow; the Lesser one leaves its users free.
COPYLEFT = re.compile(r"(?<![A-Za-z])A?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)


def _name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def _asked_for(requirements: list[str]) -> set[str]:
    """Return the installed distributions that these requirements bring, with all that those bring in turn."""
    installed = {_name_of(d.metadata["Name"]) for d in metadata.distributions()}
    found: set[str] = set()
    waiting = [_name_of(r) for r in requirements]
    while waiting:
        name = waiting.pop()
        if name in found or name not in installed:
            continue
        found.add(name)
        waiting += [_name_of(r) for r in metadata.requires(name) or [] if "extra ==" not in r]
    return found


def stated_licence(data: metadata.PackageMetadata) -> str:
    """Return what a distribution says of its licence: the SPDX expression, else classifiers and first line."""
    if "License-Expression" in data:
        return data["License-Expression"]
    classifiers = [c for c in data.get_all("Classifier") or [] if c.startswith("License ::")]
    text = data["License"].strip().partition("\n")[0] if "License" in data else ""
    return "; ".join(part for part in [*classifiers, text] if part)


def _files_of(package: str, folder: Path) -> list[Path]:
    """Return the data files of one package: those of its folder that are not modules."""
    files = folder.iterdir() if package != "triage" else (ROOT / "triage").rglob("*")
    return [p for p in files if p.is_file() and p.suffix not in {".py", ".pyc"}]


def test_the_version_is_one() -> None:
    assert triage.__version__ == PROJECT["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?", triage.__version__)


def test_the_version_stands_in_the_changelog_or_is_still_unreleased() -> None:
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in log or f"## [{triage.__version__}]" in log


def test_licence_and_notice_are_there_and_named() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    for name in PROJECT["license-files"]:
        assert (ROOT / name).stat().st_size > 100
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("licence", "barred"),
    [
        ("GPL-3.0-or-later", True), ("AGPL-3.0-only", True), ("GPLv2", True), ("MIT AND GPL-2.0-only", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("LGPL-3.0-or-later", False), ("MPL-2.0", False), ("MIT", False), ("Apache-2.0", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
    ],
)
def test_the_watch_over_licences_knows_one_from_another(licence: str, barred: bool) -> None:
    assert bool(COPYLEFT.search(licence)) is barred


@pytest.mark.parametrize(
    "requirements",
    [
        PROJECT["dependencies"] + [r for extra in PROJECT["optional-dependencies"].values() for r in extra],
        PYPROJECT["dependency-groups"]["dev"],
    ],
    ids=["what users get", "what developers get"],
)
def test_no_dependency_has_a_licence_that_spreads(requirements: list[str]) -> None:
    names = _asked_for(requirements)
    assert {"click", "pytsk3", "pytest"} & names
    licences = {name: stated_licence(metadata.metadata(name)) for name in sorted(names)}
    assert not {name: licence for name, licence in licences.items() if COPYLEFT.search(licence)}
    assert not [name for name, licence in licences.items() if not licence], "no licence stated: look it up"


def _at_the_top(tree: ast.Module) -> set[str]:
    """Return what a module imports when it is imported: not what stands in functions, under ``try`` or for types alone."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_what_the_program_imports_comes_with_it() -> None:
    """The tests' environment holds every extra, so only this sees that one would be missing after the README's first command."""
    brings = {name: {_name_of(d) for d in names} for name, names in metadata.packages_distributions().items()}
    asked = {_name_of(one) for one in PROJECT["dependencies"]}
    missing = {}
    for path in [*(ROOT / "triage").rglob("*.py"), *(ROOT / "plugins").glob("*.py")]:
        shown = path.relative_to(ROOT).as_posix()
        for name in _at_the_top(ast.parse(path.read_text(encoding="utf-8"))) - set(sys.stdlib_module_names) - {"triage"}:
            if not brings.get(name, set()) & asked:
                missing[shown] = name
    assert missing == {}


def test_dependencies_are_named_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8").lower()
    assert not [r for r in PROJECT["dependencies"] if _name_of(r) not in notice]


@pytest.mark.parametrize("package", sorted(SETUPTOOLS["package-dir"]))
def test_every_data_file_matches_a_packaged_pattern(package: str) -> None:
    folder = ROOT / SETUPTOOLS["package-dir"][package]
    patterns = SETUPTOOLS["package-data"].get(package, [])
    left_out = [
        str(path.relative_to(ROOT))
        for path in _files_of(package, folder)
        if not any(fnmatch.fnmatchcase(path.relative_to(folder).as_posix(), pattern) for pattern in patterns)
    ]
    assert not left_out, "these would be missing from the wheel: add a pattern to package-data"


def test_built_in_images_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "tests" / "images").iterdir()}
    assert not {name: size for name, size in sizes.items() if size > 1_300_000}


def test_a_wheel_holds_everything(tmp_path: Path) -> None:
    major = int(metadata.version("setuptools").partition(".")[0]) if _asked_for(["setuptools"]) else 0
    if major < 77:
        pytest.skip("building without an index needs setuptools 77 or newer here")
    source = tmp_path / "source"
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("triage", "plugins", "profiles", "tests/images"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w",
        tmp_path, source],
        check=True, timeout=300, capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "triage").rglob("*.py")}
    for package, folder in SETUPTOOLS["package-dir"].items():
        inside = package.replace(".", "/")
        files = _files_of(package, ROOT / folder)
        expected |= {f"{inside}/{path.relative_to(ROOT / folder).as_posix()}" for path in files}
    expected |= {f"triage/plugins/{path.name}" for path in (ROOT / "plugins").glob("*.py")}
    assert expected <= names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"triage", f"triage-{triage.__version__}.dist-info"}
    about = f"triage-{triage.__version__}.dist-info"
    assert {f"{about}/licenses/{name}" for name in PROJECT["license-files"]} <= names
