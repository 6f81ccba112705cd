"""Which work is left, in what order, on what: killable worker processes."""
