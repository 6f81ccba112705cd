"""``triage urllist``: lists of addresses and domains, held against every address that a trace names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from triage.commands.output import emit, format_option, say
from triage.hashsets.library import HashsetLibrary
from triage.hashsets.matching import Matcher
from triage.model import Meaning


@click.group()
def urllist() -> None:
    """Lists of addresses and domains: import, look up.

    \b
    Example:
      triage urllist import domains.txt --name domains --as notable
      triage urllist lookup domains https://www.example.org/page
    """


@urllist.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the set; one that exists is replaced.")
@click.option("--as", "meaning", required=True, type=click.Choice([m.value for m in Meaning]), help="What being on the list means.")
@click.option("--category", default="", help="Category of entries that have none of their own.")
@click.option("--dry-run", is_flag=True, help="Only say what the list holds and what would be rejected.")
@click.option("--library", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Folder of the compiled sets.")
def import_(file: Path, name: str, meaning: str, category: str, *, dry_run: bool, library: Path | None) -> None:
    """Compile a list of addresses into the library, where hash lists lie as well.

    One entry a line, or a CSV with a column url, domain or hash: addresses of pages and folders, domains (which stand for all below them),
    or MD5, SHA-1 or SHA-256 digests of addresses.

    \b
    Example:
      triage urllist import domains.txt --name domains --as notable
    """
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    report = HashsetLibrary(library).import_list(file, name, Meaning(meaning), category, "urls", dry_run=dry_run, imported=today)
    say(f"{report.facts.source}: {'would take' if dry_run else 'took'} {report.records:,} addresses; {report.rejected:,} lines rejected")
    for reject in report.rejects[:10]:
        say(f"  line {reject.line}: {reject.reason}")
    emit([report.to_json()], ("name", "meaning", "records", "duplicates", "rejected"))


@urllist.command()
@click.argument("name")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.option("--library", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Folder of the compiled sets.")
@format_option
def lookup(name: str, urls: tuple[str, ...], library: Path | None, fmt: str | None) -> None:
    """Look addresses up in a set, and say by which entry they are on it.

    \b
    Example:
      triage urllist lookup domains https://www.example.org/page
    """
    with HashsetLibrary(library).open(name) as found:
        rows = [
            {"url": url, "hit": bool(hits), "entry": None, "category": None}
            | ({"entry": hits[0].detail["entry"], "category": hits[0].category} if hits else {})
            for url, hits in zip(urls, Matcher([found]).match_urls(urls), strict=True)
        ]
    emit(rows, ("url", "hit", "entry", "category"), fmt)
