"""Whose a file is by where it lies: the user's profile and the program, for findings."""

from __future__ import annotations

import re

from triage.escape import show

_USERS = re.compile(
    r"/(?:Users|home|Documents and Settings|Dokumente und Einstellungen|Benutzer)/([^/]{1,64})(?=/)"
    r"|/(?:data/(?:user|media|system_ce)|user(?:_de)?|storage/emulated)/(\d{1,4})(?=/)"
    r"|/(root)(?=/)|/private/var/(mobile)(?=/)|(?:^|/)(S-1-5-21-[0-9-]{10,50})(?=/)",
    re.IGNORECASE,
)
_PROGRAMS = (
    (re.compile(r"/Google/Chrome(?: Beta| SxS)?/|/google-chrome(?:-beta)?/|/com\.android\.chrome/", re.IGNORECASE), "Chrome"),
    (re.compile(r"/Chromium/|/chromium/", re.IGNORECASE), "Chromium"),
    (re.compile(r"/Microsoft[ /]Edge/|/microsoft-edge/|MicrosoftEdge", re.IGNORECASE), "Edge"),
    (re.compile(r"/BraveSoftware/|/com\.brave\.browser/", re.IGNORECASE), "Brave"),
    (re.compile(r"/Opera(?: Software)?/|/com\.opera\.", re.IGNORECASE), "Opera"),
    (re.compile(r"/Vivaldi/", re.IGNORECASE), "Vivaldi"),
    (re.compile(r"/(?:Tor Browser|tor-browser|org\.torproject\.torbrowser)[^/]*/", re.IGNORECASE), "Tor Browser"),
    (re.compile(r"/Mozilla/|/\.mozilla/|/Firefox/|/firefox/|/org\.mozilla\.", re.IGNORECASE), "Firefox"),
    (re.compile(r"/Thunderbird/|/\.thunderbird/", re.IGNORECASE), "Thunderbird"),
    (re.compile(r"/Discord(?:PTB|Canary)?/", re.IGNORECASE), "Discord"),
    (re.compile(r"/Microsoft/Teams/|MSTeams", re.IGNORECASE), "Teams"),
    (re.compile(r"/Slack/", re.IGNORECASE), "Slack"),
    (re.compile(r"/Signal/|org\.thoughtcrime\.securesms", re.IGNORECASE), "Signal"),
    (re.compile(r"/WhatsApp/|com\.whatsapp", re.IGNORECASE), "WhatsApp"),
    (re.compile(r"/Telegram|org\.telegram\.", re.IGNORECASE), "Telegram"),
    (re.compile(r"/Safari/|com\.apple\.mobilesafari|com\.apple\.Safari", re.IGNORECASE), "Safari"),
    (re.compile(r"/Internet Explorer/|/INetCache/|/\w+\.IE5/|/Temporary Internet Files/", re.IGNORECASE), "Internet Explorer"),
)
_PACKAGE = re.compile(r"/(?:data|user(?:_de)?/\d+)/((?:[a-z][a-z0-9_]*\.){1,8}[A-Za-z][A-Za-z0-9_]*)(?=/)", re.IGNORECASE)
_BUNDLE = re.compile(r"/Caches/((?:[A-Za-z0-9-]+\.){2,8}[A-Za-z0-9-]+)(?=/)")


def user_of(path: str) -> str:
    """Return the name (or number, or SID) of the user in whose profile a path lies; "" when it lies in none."""
    match = _USERS.search(f"/{path}")
    return show(next(group for group in match.groups() if group)) if match else ""


def program_of(path: str) -> str:
    """Return the program that a path belongs to, as far as its folders tell: its common name, else a package's; "" if they do not."""
    whole = f"/{path}"
    for pattern, name in _PROGRAMS:
        if pattern.search(whole):
            return name
    match = _PACKAGE.search(whole) or _BUNDLE.search(whole)
    return match[1] if match else ""


def profile_of(path: str) -> str:
    """Return the name of a browser's profile folder that a path lies in (``Default``, ``Profile 2``, ``x1y2z3.default``); "" if none."""
    match = re.search(r"/(Default|Profile \d{1,3}|Guest Profile|[a-z0-9]{8}\.[^/]{1,40})(?=/)", f"/{path}")
    return show(match[1]) if match else ""
