"""Known-hash lists: import, the compiled store, matching."""
