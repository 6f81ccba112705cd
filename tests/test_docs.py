"""What the pages say is what the program does: commands, options, exit codes, tables, queries, links."""

from __future__ import annotations

import contextlib
import doctest
import hashlib
import importlib.util
import io
import itertools
import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import pytest

from triage import cli
from triage.case import schema
from triage.case.audit import AuditLog
from triage.priority.profile import builtin_profiles, load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])

# What the interface promises of the commands that there are: docs/cli.md must have it all.
PROMISED = {
    "run": "--case --profile --hashset --exhibit --examiner --case-number --time-budget --jobs --retry-failed --fail-on --quiet",
    "info": "--format", "verify": "--format", "ls": "--format", "cat": "", "extract": "--out --format",
    "files": "--where --sort --limit --format", "findings": "--format", "queue": "--format", "status": "--json",
    "report": "--format --out", "hashset import": "--name --as --category --format", "hashset list": "--format",
    "hashset info": "--format", "hashset lookup": "--format", "hashset remove": "", "profile list": "--format",
    "profile show": "--format", "profile check": "--format", "plugin list": "--format", "plugin show": "--format",
    "doctor": "--format", "demo": "", "audit verify": "--noted --public-key", "audit seal": "--key",
}
PROMISED_CODES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}


def _load_reference() -> Any:
    spec = importlib.util.spec_from_file_location("docs_reference", DOCS / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


reference = _load_reference()
COMMANDS: list[tuple[str, click.Command]] = list(reference.commands())
LEAVES = [(words, command) for words, command in COMMANDS if not isinstance(command, click.Group)]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# ---- commands ----------------------------------------------------------------------------------------------------------------


def test_the_page_of_commands_says_what_their_help_says() -> None:
    assert text_of(DOCS / "cli.md") == reference.page(), "run make docs"


def test_a_page_of_commands_that_is_not_current_is_told_and_made_current(tmp_path: Path) -> None:
    shutil.copy(DOCS / "reference.py", tmp_path)
    page = tmp_path / "cli.md"

    def call(*arguments: str) -> int:
        return subprocess.run([sys.executable, tmp_path / "reference.py", *arguments], cwd=ROOT, capture_output=True,
                              timeout=60, check=False).returncode

    assert call("--check") == 1  # there is none
    page.write_text(reference.page().replace("`--case DIR`", "`--folder DIR`"), encoding="utf-8")
    assert call("--check") == 1
    assert call() == 0
    assert text_of(page) == reference.page()
    assert call("--check") == 0


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_every_command_and_option_says_what_it_is_for(words: str, command: click.Command) -> None:
    help_text = reference.help_of(command)
    assert help_text.paragraphs
    assert "\\b" not in (command.help or ""), "a raw docstring: Click does not see the mark before the example"
    assert not [option.opts for option in reference.options_of(command) if not (option.help or "").strip()]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_every_command_has_an_example_of_words_that_exist(words: str, command: click.Command) -> None:
    example = reference.help_of(command).example
    assert example
    known = dict(COMMANDS)
    for line in example:
        said = list(itertools.takewhile(lambda word: word not in ("|", ">"), shlex.split(line)))
        assert said[0] == "triage"
        assert " ".join(said[1:]).startswith(words)
        name = " ".join(said[1:3]) if " ".join(said[1:3]) in known else said[1]
        options = {opt for option in reference.options_of(known[name]) for opt in option.opts}
        assert {word for word in said if word.startswith("--")} <= options


def test_every_command_and_option_that_scripts_rely_on_is_there_and_on_the_page() -> None:
    sections = dict(re.findall(r"^###? triage (.+?)\n(.*?)(?=^##|\Z)", text_of(DOCS / "cli.md"), re.MULTILINE | re.DOTALL))
    for words, options in PROMISED.items():
        documented = set(re.findall(r"`(--[a-z-]+)[ `]", sections[words]))
        assert set(options.split()) <= documented, words


def test_every_command_stands_in_the_table_and_has_a_section() -> None:
    page = text_of(DOCS / "cli.md")
    for words, _ in LEAVES:
        assert f"| [`triage {words}`](#triage-{words.replace(' ', '-')}) |" in page
        assert re.search(rf"^###? triage {words}$", page, re.MULTILINE)


def test_exit_codes_are_the_same_on_every_page() -> None:
    assert {code for code, _ in reference.exit_codes()} == PROMISED_CODES
    for page in (README, DOCS / "cli.md"):
        table = text_of(page).partition("## Exit codes")[2].partition("\n## ")[0]
        assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == PROMISED_CODES
    said = re.search(r"Exit codes: (.*?)interrupted", cli.cli.help or "", re.DOTALL)
    assert said
    assert {int(n) for n in re.findall(r"(?<![\w-])(\d+) ", said[1])} == PROMISED_CODES


# ---- the README's commands -----------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A command of a page and what the page says that it prints."""

    command: str
    output: str


def commands_of(page: str) -> Iterator[Shown]:
    """Yield the commands of a page's console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Shown(command, output)


class Terminal(io.StringIO):
    """Where a command prints to as it does on a terminal."""

    def isatty(self) -> bool:
        return True


def as_shown(want: str, got: str) -> bool:
    """Whether output is what a page says: ``...`` stands for anything, and blanks do not count."""
    return doctest.OutputChecker().check_output(want, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def test_the_comparison_tells_other_output_from_the_same() -> None:
    assert as_shown("1 name in ... s\n", "1 name in 2.5 s\n")
    assert not as_shown("1 name in ... s\n", "2 names in 2.5 s\n")
    assert not as_shown("a\n...\nc\n", "a\nb\n")
    assert list(commands_of("```console\n$ triage a\nx\n$ triage b\n```\n```\n$ triage c\n```\n")) == [
        Shown("triage a", "x\n"), Shown("triage b", "")]


def test_the_commands_of_the_readme_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = list(commands_of(text_of(README)))
    used = {word for one in shown for word in re.findall(r"tests/images/([\w.-]+)", one.command)}
    (tmp_path / "tests" / "images").mkdir(parents=True)
    for name in used:
        shutil.copy(ROOT / "tests" / "images" / name, tmp_path / "tests" / "images")
    monkeypatch.chdir(tmp_path)
    for name, value in {"COLUMNS": "80", "TERM": "dumb", "TRIAGE_HASHSETS": str(tmp_path / "lists")}.items():
        monkeypatch.setenv(name, value)
    assert len(shown) >= 8
    for one in shown:
        words = shlex.split(one.command)
        assert words[0] == "triage"
        out, err = Terminal(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.run(words[1:])
        assert code == 0, f"{one.command}: {err.getvalue()}"
        assert as_shown(one.output, out.getvalue()), f"{one.command} prints\n{out.getvalue()}"
    assert (tmp_path / "case-17" / "report" / "index.html").is_file()


def test_the_readme_shows_the_way_from_image_to_report() -> None:
    said = [shlex.split(one.command)[1] for one in commands_of(text_of(README))]
    assert {"info", "verify", "hashset", "run", "queue", "files", "extract", "status", "report", "audit"} <= set(said)


def test_the_readme_gives_points_and_profiles_as_they_are() -> None:
    text = " ".join(text_of(README).split())
    points = {rule.name: rule.points for rule in load_profile("full").rules}
    for phrase, rules in {
        "On a notable list: {}.": ["notable-hash"],
        "calls itself something else, or hides in a stream: {}.": ["media-renamed"],
        "or hides in a stream: {}.": ["media-in-stream"],
        "In the folder of a notable file: {}.": ["near-notable"],
        "A user's own videos and pictures: {} and {}.": ["user-video", "user-picture"],
        "On an ignorable list: {}.": ["ignorable"],
    }.items():
        assert phrase.format(*(points[rule] for rule in rules)) in text
    assert set(builtin_profiles()) <= set(re.findall(r"`(?:--profile )?(\w+)`", text))


# ---- the case --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "demo-case"
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run(["demo", "--case", str(folder), "--quiet"]) == 0
    return folder


def tables_of_the_schema() -> dict[str, list[str]]:
    database = sqlite3.connect(":memory:")
    try:
        database.executescript(schema.SCHEMA)
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")]
        return {name: [row[1] for row in database.execute(f"PRAGMA table_info({name})")] for name in names}
    finally:
        database.close()


def test_the_page_of_the_case_names_every_table_and_column_and_no_other() -> None:
    part = text_of(DOCS / "case.md").partition("## The tables")[2]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", part, re.MULTILINE | re.DOTALL))
    tables = tables_of_the_schema()
    assert list(sections) == list(tables)
    for name, columns in tables.items():
        if name == "files":
            own = [c for c in columns if c not in tables["entry"]]
            assert not [c for c in own if f"`{c}`" not in sections[name]]
            continue
        first = [line.split("|")[1] for line in sections[name].splitlines() if line.startswith("| `")]
        assert [c for cell in first for c in re.findall(r"`(\w+)`", cell)] == columns, name
    assert f"version {schema.VERSION} of the schema" in part


def test_the_queries_of_the_page_find_something_in_a_demo_case(demo_case: Path) -> None:
    queries = re.findall(r"```sql\n(.*?)```", text_of(DOCS / "case.md"), re.DOTALL)
    assert len(queries) >= 5
    database = sqlite3.connect(f"{(demo_case / 'case.db').as_uri()}?mode=ro", uri=True)
    try:
        for query in queries:
            assert database.execute(query).fetchall(), query
    finally:
        database.close()


def test_the_page_of_the_case_names_what_a_case_folder_holds(demo_case: Path) -> None:
    table = text_of(DOCS / "case.md").partition("| in it |")[2].partition("\n\n")[0]
    there = {path.name for path in demo_case.iterdir()} | {"seal.json"}  # which a laboratory with a key adds
    assert there == {name.rstrip("/") for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)}


def test_the_page_of_the_case_names_every_event_of_the_log(demo_case: Path) -> None:
    lines = [json.loads(line) for line in (demo_case / "audit.jsonl").read_text(encoding="ascii").splitlines()]
    part = text_of(DOCS / "case.md").partition("## The audit log")[2].partition("\n## ")[0]
    named = {word for cell in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for word in re.findall(r"`([^`]+)`", cell)}
    engine = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "triage" / "engine").glob("*.py"))
    written = set(re.findall(r'(?:audit\.record|_sink\.event)\(\s*"([^"]+)"', engine)) | {"start", "resume"}
    assert {line["event"] for line in lines} <= written
    assert named == written
    assert all(f"`{key}`" in part for key in lines[0])


def test_a_case_can_be_read_elsewhere_and_without_its_evidence(demo_case: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.E01"
    shutil.copy(ROOT / "tests" / "images" / "fat32.E01", image)
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run(["run", str(image), "--case", str(tmp_path / "here"), "--quiet"]) == 0
    image.unlink()
    (tmp_path / "here").rename(tmp_path / "there")
    for words in ("status", "queue", "files", "findings", "report", "audit verify"):
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.run([*words.split(), str(tmp_path / "there")]) == 0, words


def test_the_digest_does_not_depend_on_where_the_evidence_lies(tmp_path: Path) -> None:
    digests = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        image = tmp_path / place / f"{place}.E01"
        shutil.copy(ROOT / "tests" / "images" / "fat32.E01", image)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert cli.run(["run", str(image), "--case", str(tmp_path / place / "case"), "--quiet", "--no-report"]) == 0
            assert cli.run(["status", str(tmp_path / place / "case"), "--json", "--digest"]) == 0
        digests.append(json.loads(out.getvalue())["digest"])
    assert digests[0] == digests[1]


def test_the_log_begins_with_what_the_result_depends_on_and_its_end_is_printed(tmp_path: Path) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert cli.run(["demo", "--case", str(tmp_path / "case"), "--quiet"]) == 0
    lines = (tmp_path / "case" / "audit.jsonl").read_bytes().splitlines()
    printed = re.search(r"audit:\s+([0-9a-f]+)", out.getvalue())
    assert printed
    assert hashlib.sha256(lines[-1]).hexdigest().startswith(printed[1])
    assert len(printed[1]) >= 32
    begin = json.loads(lines[0])
    run = begin["data"]["run"]
    assert begin["event"] == "start"
    assert {"triage", "python", "pytsk3"} <= set(run["versions"])
    assert {p["name"] for p in run["plugins"]} >= {"archives", "encrypted", "exif", "zone_identifier"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in [run["profile_sha256"], *(p["sha256"] for p in run["plugins"])])
    assert begin["data"]["arguments"]
    assert len(begin["data"]["hashsets"]) == 2
    evidence = begin["data"]["evidence"][0]
    assert evidence["stored_digests"]["md5"]
    assert evidence["files"][0]["size"] == (ROOT / "tests" / "images" / "ntfs.E01").stat().st_size


def test_bytes_that_another_file_owns_by_now_are_no_hit(tmp_path: Path) -> None:
    def files(case: str, *options: str) -> list[dict[str, Any]]:
        folder, out = str(tmp_path / case), io.StringIO()
        image = str(ROOT / "tests" / "images" / "ext4.raw")
        with contextlib.redirect_stdout(out):
            assert cli.run(["run", image, "--case", folder, "--quiet", "--no-report", *options]) == 0
            assert cli.run(["files", folder, "--where", "sha256!=null and size>0", "--format", "json"]) == 0
        return list(json.loads(out.getvalue()))

    listed = tmp_path / "all.txt"
    listed.write_text("".join(f"{row['sha256']}\n" for row in files("first")), encoding="ascii")
    rows = files("second", "--hashset", str(listed))
    lost = [row for row in rows if row["recoverability"] == "overwritten"]
    assert lost
    assert all(row["known"] is None and row["matches"] == [] for row in lost)
    assert all(row["known"] == "notable" for row in rows if row not in lost)


@pytest.fixture
def own_case(demo_case: Path, tmp_path: Path) -> Path:
    """A copy of the demo's case that a test may spoil."""
    return Path(shutil.copytree(demo_case, tmp_path / "own-case"))


@pytest.mark.parametrize(("what", "alone", "noted"), [
    ("changed", 4, 4), ("removed", 4, 4), ("moved", 4, 4), ("end cut off", 0, 4), ("untouched", 0, 0)])
def test_the_log_shows_what_the_page_says_and_no_more(own_case: Path, what: str, alone: int, noted: int) -> None:
    log = own_case / "audit.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    digest = hashlib.sha256(lines[-1].rstrip(b"\n")).hexdigest()
    assert len(lines) > 3
    match what:
        case "changed":
            lines[1] = lines[1].replace(b'"vol1"', b'"vol9"')
        case "removed":
            del lines[1]
        case "moved":
            lines[1], lines[2] = lines[2], lines[1]
        case "end cut off":
            del lines[-1]
    assert (b"".join(lines) == log.read_bytes()) == (what == "untouched")
    log.write_bytes(b"".join(lines))
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run(["audit", "verify", str(own_case)]) == alone
        assert cli.run(["audit", "verify", str(own_case), "--noted", digest]) == noted


def test_a_case_takes_no_other_evidence_and_one_run_at_a_time(own_case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = ROOT / "tests" / "images"
    assert cli.run(["run", str(images / "exfat.raw"), "--case", str(own_case), "--quiet"]) == 4
    assert "other evidence" in capsys.readouterr().err
    log = AuditLog(own_case / "audit.jsonl")
    try:
        assert cli.run(["run", str(images / "ntfs.E01"), "--case", str(own_case), "--quiet"]) == 4
    finally:
        log.close()
    assert "in use" in capsys.readouterr().err


def test_copies_have_names_of_ours_and_a_list_beside_them(tmp_path: Path) -> None:
    out = tmp_path / "copies"
    before = set(tmp_path.iterdir())
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run(["extract", str(ROOT / "tests" / "images" / "ntfs.E01"), "vol1/Users/alex/Downloads", "--out", str(out)]) == 0
    names = sorted(path.name for path in out.iterdir())
    assert set(tmp_path.iterdir()) - before == {out}
    names.remove("extracted.jsonl")
    assert len(names) > 8
    assert all(re.fullmatch(r"[0-9a-f]{64}\.[a-z0-9]{1,8}", name) for name in names)
    rows = [json.loads(line) for line in (out / "extracted.jsonl").read_text(encoding="ascii").splitlines()]
    assert sorted({row["file"] for row in rows}) == names
    assert any("\\x1b" in row["path"] for row in rows)  # a name that would have moved the cursor
    for name in names:
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == name.partition(".")[0]


# ---- pages -----------------------------------------------------------------------------------------------------------------


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(text_of(target))):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_index_with_one_line() -> None:
    lines = [line for line in text_of(DOCS / "index.md").splitlines() if line.startswith("- ")]
    linked = [link for line in lines for link in re.findall(r"\]\(([^)]+)\)", line)]
    assert len(linked) == len(lines)
    assert sorted(linked) == sorted(
        [p.name for p in DOCS.glob("*.md") if p.name != "index.md"] + [f"../{p.name}" for p in ROOT.glob("*.md")])


def test_every_promise_is_held_by_test_files_that_exist() -> None:
    rows = [line for line in text_of(DOCS / "evidence-rules.md").splitlines()
            if line.startswith("|") and not line.startswith(("|---", "| promise"))]
    assert len(rows) > 15
    for row in rows:
        cited = re.findall(r"`(tests/[^`]+)`", row.split("|")[-2])
        assert cited, f"nothing holds this: {row}"
        for name in cited:
            assert (ROOT / name).is_file(), name
            assert Path(name).suffix == ".py"
            assert Path(name).name.startswith("test_") or name == "tests/conftest.py"


def test_every_command_that_a_page_shows_exists() -> None:
    known = {words for words, _ in COMMANDS}
    wrong = []
    for page in PAGES:
        for code in re.findall(r"`(triage [a-z][^`\n]*)`|^(?:\$ )?(triage [a-z].*)$", text_of(page), re.MULTILINE):
            words = re.findall(r"[^\s|]+", code[0] or code[1])[1:]
            command = f"{words[0]} {words[1]}" if len(words) > 1 and words[0] in ("hashset", "profile", "plugin", "audit") else words[0]
            if command not in known:
                wrong.append(f"{page.name}: {code[0] or code[1]}")
    assert not wrong
