"""Profiles that ship with triage."""
