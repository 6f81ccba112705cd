"""Logical acquisitions: archives, folders and backups of phones as trees of names; one file a format."""
