"""Built-in analyzers, one file each. Nobody imports them by name: the registry finds them."""
