"""Text files that hold a word of a list: replace this line by what your plugin finds, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 1 << 20


class Example:
    """Findings ``word``: one for each word of the options that the text holds."""

    name = "example"  # the file's name without .py
    version = "1"  # change it when the findings change: every item is analysed again
    accepts = Accepts(types=("text", "html"), max_size=16 << 20)

    @dataclass(frozen=True)
    class Options:
        """``words`` to look for, in any case. A profile sets them; every option has a default."""

        words: tuple[str, ...] = ("invoice",)

    def __init__(self, options: Options) -> None:
        self._words = tuple(word.lower().encode() for word in options.words)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the first place of each word. Instances see many items: keep nothing on ``self``."""
        text = item.read(_LIMIT).lower()
        for word in self._words:
            at = text.find(word)
            if at >= 0:
                shown = word.decode()
                yield item.finding("word", f"holds the word {shown}", {"word": shown}, [(at, len(word))])
        if item.size > _LIMIT:
            yield item.problem(f"only the first {_LIMIT} of {item.size} bytes were searched")


PLUGIN = Example
