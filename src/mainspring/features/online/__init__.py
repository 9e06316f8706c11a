"""Stores of the newest feature vectors, one technology a file."""
