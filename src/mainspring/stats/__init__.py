"""Numbers about numbers: intervals and profiles. NumPy only."""
