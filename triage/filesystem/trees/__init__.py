"""File systems and archives that are read without TSK: one file a format, each a :class:`~triage.filesystem.trees.tree.Tree`."""
