"""The root directory of OLE compound files, for plugins."""

from triage.content.ole import MAGIC, OleEntry, directory

__all__ = ["MAGIC", "OleEntry", "directory"]
