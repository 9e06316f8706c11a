"""Knows that a model has gone bad before its users do: windows, monitors, alerts, reports."""
