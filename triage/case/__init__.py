"""The case store: schema, ledger, audit chain; the only SQL in the project."""
