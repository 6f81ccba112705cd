"""What compiled sets are written as for other programs, one file a format."""
