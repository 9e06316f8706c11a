"""The version of the records database's tables that this Mainspring reads and writes."""

VERSION = 5
