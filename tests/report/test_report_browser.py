"""A real browser opens a report made of attacks: no script runs, nothing is loaded, no element is added."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from payloads import PAYLOADS
from report_fake_case import FakeCase
from report_html_checks import Page
from test_report_hostile_text import hostile_file, hostile_finding, hostile_parts, hostile_problem, report_of

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.skipif(BROWSER is None, reason="needs Chromium"), pytest.mark.slow]
SCRIPT = "<script>document.title='PWNED'</script>"


def opened(page: Path, folder: Path) -> tuple[str, str]:
    """Return the page as the browser has it once it is loaded, and its log of the network."""
    log = folder / f"{page.parent.name}-{page.stem}.net.json"
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder / 'browser'}",
         "--host-resolver-rules=MAP * ~NOTFOUND", f"--log-net-log={log}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()],
        capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8"), log.read_text("utf-8", "replace")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = FakeCase(
        files=lambda: (hostile_file(n, text) for n, text in enumerate(PAYLOADS)),
        findings=lambda: (hostile_finding(n, text) for n, text in enumerate(PAYLOADS)),
        problems=lambda: (hostile_problem(n, text) for n, text in enumerate(PAYLOADS)),
        **hostile_parts(SCRIPT))
    return report_of(case, tmp_path_factory.mktemp("browser") / "report", ("html",))


def test_the_browser_runs_scripts_and_loads_pictures_where_a_page_lets_it(tmp_path: Path) -> None:
    """Else the next test would show nothing."""
    page = tmp_path / "open.html"
    page.write_text(f"<title>x</title>{SCRIPT}<img src=http://x.example/pixel.png>", encoding="utf-8")
    dom, log = opened(page, tmp_path)
    assert "<title>PWNED</title>" in dom
    assert "x.example/pixel.png" in log


def test_the_policy_alone_would_stop_scripts_and_loads(report: Path, tmp_path: Path) -> None:
    head = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', (report / "index.html").read_text("utf-8"))
    assert head
    page = tmp_path / "held.html"
    page.write_text(f"<head>{head[0]}<title>x</title></head>{SCRIPT}<img src=http://x.example/pixel.png onerror=document.title='PWNED'>"
                    "<style>@import 'http://x.example/a.css'</style>", encoding="utf-8")
    dom, log = opened(page, tmp_path)
    assert "<title>x</title>" in dom
    assert "x.example/" not in log.replace(page.as_uri(), "")


@pytest.mark.parametrize("name", ["index.html", "queue/0001.html", "findings/0001.html", "problems/0001.html", "files/0001.html"])
def test_a_report_made_of_attacks_is_what_was_written_and_loads_nothing(name: str, report: Path, tmp_path: Path) -> None:
    written = Page((report / name).read_text("utf-8"))
    dom, log = opened(report / name, tmp_path)
    seen = Page(re.sub(r"^<!DOCTYPE html>", "", dom))
    assert "PWNED" not in re.findall(r"<title>(.*?)</title>", dom)[0].replace("document.title=", "").partition("&")[0]
    assert seen.strange == []
    assert [e for e in seen.elements if e != "tbody"] == [e for e in written.elements if e != "tbody"]
    assert "x.example" not in log
