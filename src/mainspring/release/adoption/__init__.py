"""An existing model becomes a release: read from its file, asked as its user asked it, kept as it is."""
