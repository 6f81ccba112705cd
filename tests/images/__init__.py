"""The built-in test images and their answer keys."""
