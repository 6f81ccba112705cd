"""Carving: files in space that no living file owns, found by their headers and walked by their structure to their true ends.

``space`` says which bytes are looked at, ``scan`` finds headers in them, ``formats/`` walks what begins there (one file a format),
``carver`` keeps what is real, joins what lies in pieces, and reports nothing twice.
"""
