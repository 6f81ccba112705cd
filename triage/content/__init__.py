"""What one item is: its bytes read once, digests, type, text."""
