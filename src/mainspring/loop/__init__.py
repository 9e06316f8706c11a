"""Durable workflows: the lifecycle of a model."""
