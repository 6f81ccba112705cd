"""A file on the examiner's disk made into readable bytes: one file a container format."""
