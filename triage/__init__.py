"""A command-line forensic triage toolkit for seized media."""

__version__ = "0.1.0"
