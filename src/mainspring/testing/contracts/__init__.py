"""One suite a port, run over every backend of it."""
