"""What builds the test images; see ``../build.py``."""
