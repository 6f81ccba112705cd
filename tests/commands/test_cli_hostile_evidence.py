"""A disk whose every text attacks: nothing of it acts on a terminal, in a pipe, a log, a report, a spreadsheet or a folder."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import stat
import sys
from pathlib import Path
from typing import Any, NamedTuple

import hostile_medium
import pytest
from payloads import PAYLOADS
from report_html_checks import RAW_CONTROL, Page
from terminal import on_terminal, sequences, words

from triage.cli import run

OURS = re.compile(
    r"case\.db|findings\.jsonl|audit\.jsonl|hashsets(/[\w.-]+)?|report|report/(index\.html|report\.json|run\.json|(queue|findings|problems|files)"
    r"(\.csv|\.jsonl|/\d{4}\.html)?)"
)
FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
COMMANDS = [
    "info {disk}", "ls {disk}", "ls {disk} --recursive", "status {case}", "files {case}", "findings {case}", "queue {case} --limit 0",
    "hashset list --library {library}", "hashset info hostile --library {library}", "hashset lookup hostile {digest} --library {library}",
    "plugin list --plugin-path {plugin}", "extract {disk} vol1/DCIM vol1/links --out {out}", "cat {disk} vol1/all.txt",
    "report {case} --format csv,jsonl,html,json", "audit verify {case}", "verify {disk}"]
WRONG = [
    "ls {disk} {text}", "cat {disk} {text}", "files {case} --where {text}", "queue {text}", "run {text} --case {out}",
    "profile show {text}", "hashset lookup {text} {text}", "plugin show {text}", "{text}", "files {case} --sort {text}",
    "run {disk} --case {out} --profile {text}"]


class World(NamedTuple):
    """A disk, its case, and what the terminal was sent while it was examined."""

    folder: Path
    disk: Path
    case: Path
    sent: dict[str, str]

    def words(self, command: str, **more: str) -> list[str]:
        """Return a command's words with the places filled in."""
        known = {
            "disk": str(self.disk), "case": str(self.case), "library": str(self.folder / "library"), "plugin": str(self.folder / "plugins"),
            "out": str(self.folder / "out"), "digest": self.digest,
        }
        return [word.format(**known, **more) if "{" in word else word for word in command.split()]

    @property
    def digest(self) -> str:
        """One of the digests on the list."""
        return (self.folder / "media" / "notable.csv").read_bytes().splitlines()[1].split(b",")[0].decode()


def examine(folder: Path, *, harmless: bool) -> World:
    (folder / "media").mkdir(parents=True)
    (folder / "plugins").mkdir()
    disk, notable = hostile_medium.write(folder / "media", PAYLOADS[:40] if harmless else PAYLOADS, harmless=harmless)
    word = "harmless" if harmless else "\x1b[31m<script>alert(1)</script>=1+1\u202e\n[/]"
    (folder / "plugins" / "broken.py").write_text(f"raise RuntimeError({word!r})\n", encoding="utf-8")
    world = World(folder, disk, folder / "case", {})
    for command in (["hashset", "import", str(notable), "--name", "hostile", "--as", "notable", "--library", str(folder / "library")],
                    ["run", str(disk), "--case", str(world.case), "--hashset", str(notable), "--exhibit", word, "--examiner", word,
                     "--case-number", word]):
        code, sent = on_terminal(command)
        assert code in (0, 3), words(sent)
        world.sent[command[0]] = sent
    for command in ["ls {disk}", "verify {disk}", "report {case} --format html"] if harmless else COMMANDS:
        code, sent = on_terminal(world.words(command))
        assert code == 0 or command.startswith("extract"), f"{command}: {words(sent)[-2000:]}"
        world.sent[command] = sent
    return world


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> World:
    return examine(tmp_path_factory.mktemp("harmless") / "world", harmless=True)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def hostile(before: Path) -> World:
    return examine(before / "world", harmless=False)


def test_no_command_sends_the_terminal_what_it_does_not_send_for_harmless_evidence(harmless: World, hostile: World) -> None:
    known = set().union(*(sequences(sent) for sent in harmless.sent.values()))
    assert known, "colours and the bar are ours"
    assert not known & set().union(*(sequences(text) for text in PAYLOADS)), "a payload could hide among ours"
    assert len(hostile.sent) == len(COMMANDS) + 2
    for command, sent in hostile.sent.items():
        assert sequences(sent) <= known, command
        rest = words(sent)
        rest = rest.replace("\t", "") if command.startswith("cat") else rest
        assert (found := RAW_CONTROL.search(rest)) is None, f"{command}: {found!r}"
        assert len(rest) > 20, command


def test_a_terminal_is_shown_text_and_no_bytes(hostile: World) -> None:
    code, sent = on_terminal(["cat", str(hostile.disk), "vol1/all.txt"])
    shown = words(sent)
    assert code == 0
    assert "\\x1b[2J" in shown
    assert "\u65e5\u672c\u8a9e.png" in shown
    assert "\\x80\\x81\\x82" in shown, "what is no text"
    assert "<script>alert(1)</script>" in shown


def test_lines_of_80_columns_are_no_longer(hostile: World) -> None:
    from rich.cells import cell_len

    for command in ("ls {disk}", "files {case}", "findings {case}", "queue {case} --limit 0", "info {disk}"):
        lines = [line for line in words(hostile.sent[command]).splitlines() if not line.startswith("triage: ")]
        assert max(map(cell_len, lines)) <= 80, command


@pytest.mark.parametrize("command", WRONG)
def test_mistakes_that_hold_hostile_words_are_one_inert_line(command: str, hostile: World, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["\x1b[31m\u202e<script>", "a\ntriage: forged", "\x9b2J\x07", "[/red][link=x]"]
    for text in ["".join(texts)] if "{disk}" in command else texts:
        assert run(hostile.words(command, text=text)) != 0
        out, err = capsys.readouterr()
        assert RAW_CONTROL.search(out + err) is None
        assert all(line.startswith("triage: ") for line in err.splitlines())
        assert "forged" not in re.sub(r"triage: (?!forged).*", "", err)
        assert not (hostile.folder / "a").exists()


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv"])
def test_rows_in_pipes_are_inert_and_json_is_exact(form: str, hostile: World, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS[:11]:
        if command in ("status {case}", "ls {disk}"):
            continue
        assert run([*hostile.words(command), "--format", form]) == 0
        out = capsys.readouterr().out
        assert RAW_CONTROL.search(out) is None, command
        if form == "csv":
            cells = [c for row in csv.reader(io.StringIO(out)) for c in row]
            assert not [c for c in cells if c.lstrip(" ").startswith(FORMULA) and not re.fullmatch(r"-?\d+", c)], command
        elif form != "table":
            rows = json.loads(out) if form == "json" else [json.loads(line) for line in out.splitlines()]
            assert rows
    assert run(["status", str(hostile.case), "--json"]) == 0
    assert RAW_CONTROL.search(capsys.readouterr().out) is None


def raw_names(rows: list[dict[str, Any]], folder: str) -> set[bytes]:
    return {
        base64.b64decode(r["name_raw"]) if r["name_raw"] else r["path"].rpartition("/")[2].encode()
        for r in rows if r["path"].startswith(f"vol1/{folder}/") and r["path"].count("/") == 2
    }


def test_every_name_keeps_its_bytes(hostile: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["files", str(hostile.case)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    wanted = set(hostile_medium.names(PAYLOADS))
    assert len(wanted) > 300
    assert raw_names(rows, "DCIM") == wanted
    assert not [r["path"] for r in rows if RAW_CONTROL.search(r["path"])]


def pages(world: World) -> dict[str, Page]:
    return {str(p.relative_to(world.case)): Page(p.read_text("utf-8")) for p in sorted((world.case / "report").rglob("*.html"))}


def shape(html: str) -> set[tuple[str, str]]:
    """Return each element with each of its attributes."""
    tags = re.findall(r"<([a-z0-9]+)((?: [a-z-]+=\"[^\"]*\")*)>", html)
    return {(tag, name) for tag, rest in tags for name in re.findall(r" ([a-z-]+)=", rest)}


def test_no_page_holds_an_element_attribute_or_link_that_is_not_ours(harmless: World, hostile: World) -> None:
    found, plain = pages(hostile), pages(harmless)
    assert len(found) >= 6
    for name, page in found.items():
        assert page.strange == [], name
        assert set(page.elements) <= set().union(*(p.elements for p in plain.values())) | {"details", "summary"}, name
        assert "default-src 'none'" in page.policy
        assert not re.search(r"unsafe|script-src|connect-src|\*|https?:", page.policy), page.policy
    ours, theirs = (set().union(*(shape((w.case / n).read_text("utf-8")) for n in pages(w))) for w in (harmless, hostile))
    assert theirs <= ours


def test_every_payload_can_be_read_in_the_report_of_the_case(hostile: World) -> None:
    from triage.escape import show

    text = "".join(t for page in pages(hostile).values() for t in page.text)
    missing = [raw for raw in hostile_medium.names(PAYLOADS)
               if show(raw.decode("utf-8", "replace")).replace("/", "\\x2f")[:40] not in text and b"\xed" not in raw and raw.isascii()]
    assert missing == []


def test_spreadsheets_get_no_formula_and_files_no_control(hostile: World) -> None:
    for path in sorted((hostile.case / "report").glob("*.csv")):
        text = path.read_text("utf-8-sig")
        assert RAW_CONTROL.search(text.replace("\r\n", "\n")) is None
        rows = list(csv.reader(io.StringIO(text, newline="")))
        bad = [c for row in rows for c in row if c.lstrip(" ").startswith(FORMULA) and not re.fullmatch(r"-?\d+(\.\d+)?", c)]
        assert bad == [], path.name
    for path in [*(hostile.case / "report").glob("*.json*"), hostile.case / "audit.jsonl"]:
        content = path.read_bytes()
        assert content.isascii()
        assert RAW_CONTROL.search(content.decode()) is None
    lines = (hostile.case / "audit.jsonl").read_text("ascii").splitlines()
    assert all(json.loads(line)["n"] == number for number, line in enumerate(lines, 1)), "no line is forged"


def test_nothing_is_written_but_what_is_ours(before: Path, hostile: World) -> None:
    case = {str(p.relative_to(hostile.case)) for p in hostile.case.rglob("*")}
    assert [n for n in case if not OURS.fullmatch(n)] == []
    assert {p.name for p in before.iterdir()} == {"world"}
    assert {p.name for p in hostile.folder.iterdir()} <= {"media", "plugins", "library", "case", "out"}
    for path in [hostile.case, *hostile.case.rglob("*"), hostile.folder / "out"]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path.relative_to(before)}: {mode:o}"


def test_copies_have_names_of_ours_and_no_links_or_devices_are_made(hostile: World) -> None:
    out = hostile.folder / "out"
    rows = [json.loads(line) for line in (out / "extracted.jsonl").read_text("ascii").splitlines()]
    assert len(rows) > 300
    for path in out.iterdir():
        assert stat.S_ISREG(path.lstat().st_mode)
        assert re.fullmatch(r"[0-9a-f]{64}(\.partial)?\.[a-z0-9]{1,8}|extracted\.jsonl", path.name)
    assert {r["kind"] for r in rows} == {"file"}
    assert not [p for p in ("/var/evil", "/evil", "evil") if Path(p).exists()], "where some of the names lead"


def test_the_matrix_is_as_large_as_it_says(hostile: World, harmless: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what stands behind "0 live": texts, fields that evidence feeds, outputs that were looked at."""
    from test_report_hostile_text import hostile_file, hostile_finding, hostile_parts, hostile_problem

    marked = "\x00mark\x00"

    def fields(value: Any) -> int:
        if isinstance(value, dict):
            return sum(fields(v) + (k == marked) for k, v in value.items())
        if isinstance(value, list | tuple):
            return sum(map(fields, value))
        return value == marked or (isinstance(value, str) and marked in value)

    count = fields([hostile_file(0, marked), hostile_finding(0, marked), hostile_problem(0, marked), hostile_parts(marked)])
    outputs = len(hostile.sent) + len(pages(hostile)) + len(list((hostile.case / "report").glob("*.*"))) + 4 * 10
    assert len(PAYLOADS) >= 200
    assert count >= 60
    with capsys.disabled():
        sys.stdout.write(f"\n{len(PAYLOADS)} payloads x {count} fields, {outputs} outputs of one hostile disk: 0 live\n")
