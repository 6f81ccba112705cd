"""The formats that are carved, one file each: its headers, and the walk that finds its true end and says why it stopped there."""
