"""Numbers about numbers: intervals, profiles, distances, tests. NumPy and scipy.special only."""
