"""Bytes made into volumes and entries: partition tables, file systems."""
