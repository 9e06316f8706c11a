"""The version of this package, for those modules that must not import all of it."""

VERSION = "0.1.0"
