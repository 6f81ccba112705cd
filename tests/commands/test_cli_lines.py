"""What a person reads on a terminal: sentences broken to fit, many problems of one kind folded."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from triage.commands.common import tell
from triage.commands.output import lines
from triage.model import Problem, Severity

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def problem(message: str, path: str = "", severity: Severity = Severity.ERROR) -> Problem:
    return Problem(severity=severity, stage="filesystem", message=message, path=path)


def test_a_thousand_problems_of_one_kind_are_a_few_lines_and_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    many = [problem(f"only {n} of {n * 2} bytes were read", f"vol1/{n}\x1b[2J") for n in range(1000)]
    tell([problem("first"), *many, problem("only 1 of 2 bytes were read", severity=Severity.WARNING), problem("last")])
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "triage: error: first"
    assert said[1] == "triage: error: only 0 of 0 bytes were read (vol1/0\\x1b[2J)"
    assert said[-1] == "triage: error: 995 more: only # of # bytes were read"
    assert "triage: error: last" in said
    assert "triage: warning: only 1 of 2 bytes were read" in said
    assert len(said) == 1 + 5 + 1 + 1 + 1


def test_five_problems_are_five_lines(capsys: pytest.CaptureFixture[str]) -> None:
    tell([problem(f"same {n}") for n in range(5)])
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_sentences_are_broken_between_words_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = "  - a sentence of many words with a \x1b[31mname and a digest " + "0" * 64
    for stream, expected in ((Terminal(), 6), (io.StringIO(), 1)):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            lines(text)
        written = stream.getvalue().splitlines()
        assert (len(written) > 1) == (expected > 1)
        assert "\x1b" not in stream.getvalue()
        assert "\\x1b[31mname" in stream.getvalue()
        assert all(len(line) <= 40 or "0" * 64 in line for line in written) or expected == 1
        assert all(line.startswith("    ") for line in written[1:])
