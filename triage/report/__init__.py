"""One document, many formats: pure functions from a case to files."""
