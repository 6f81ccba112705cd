"""What plugins share to read structures of evidence safely: bounded, no length or offset trusted."""
