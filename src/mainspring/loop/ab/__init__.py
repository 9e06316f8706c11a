"""The analysis of an A/B test."""
