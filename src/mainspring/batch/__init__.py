"""Scoring of tables."""
