"""One technology a file; each implements a port of `domain`."""
