"""One file a list format."""
