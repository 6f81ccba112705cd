"""An HTML parser that accepts only what a report of ours may hold: its lists are its own, not the renderer's."""

from __future__ import annotations

import re
from html.parser import HTMLParser

ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "main",
    "footer",
    "nav",
    "section",
    "div",
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "li",
    "ol",
    "dl",
    "dt",
    "dd",
    "a",
    "b",
    "strong",
    "small",
    "span",
    "bdi",
    "wbr",
    "code",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "meter",
    "img",
}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "href",
    "scope",
    "role",
    "aria-label",
    "aria-current",
    "tabindex",
    "dir",
    "min",
    "max",
    "value",
    "src",
    "alt",
}
VOID = {"meta", "wbr", "img"}
CLASS = re.compile(r"[a-z -]+")
OUR_LINK = re.compile(
    r"(\.\./)?(queue|findings|problems|files)/\d{4}\.html|(\.\./)?index\.html|\d{4}\.html|"
    r"#(content|examined|queue|counts|hashsets|problems|coverage|reproduce)"
)
RAW_CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Page(HTMLParser):
    """Parses a page, keeps its text, links and ids, and collects everything that does not belong."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.strange: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.elements: list[str] = []
        self.policy = self.style = ""
        self.feed(html)
        self.close()
        if self.open:
            self.strange.append(f"left open: {self.open}")
        if found := RAW_CONTROL.search(html):
            self.strange.append(f"raw control character {found.group()!r}")
        if "<script" in html.lower():
            self.strange.append("script")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in ELEMENTS:
            self.strange.append(f"element {tag}")
        if tag not in VOID:
            self.open.append(tag)
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.strange.append(f"attribute twice in {tag}: {names}")
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""
        elif tag == "meta" and "http-equiv" in names:
            self.strange.append("meta http-equiv")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name not in ATTRIBUTES or name.startswith("on"):
            self.strange.append(f"attribute {name} of {tag}")
        if name == "href" and not OUR_LINK.fullmatch(value):
            self.strange.append(f"link to {value!r}")
        if name == "src" and not value.startswith("data:image/jpeg;base64,"):
            self.strange.append(f"source {value[:60]!r}")
        if name == "class" and not CLASS.fullmatch(value):
            self.strange.append(f"class {value!r}")
        if name == "href":
            self.links.append(value)
        if name == "id":
            self.ids.append(value)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.strange.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.strange.append(f"comment {data!r}")

    def handle_pi(self, data: str) -> None:
        self.strange.append(f"instruction {data!r}")

    def unknown_decl(self, data: str) -> None:
        self.strange.append(f"declaration {data!r}")
