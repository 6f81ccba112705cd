"""One thin file a verb: parse, call the library, show."""
