"""Seeding, tuning, fitting, evaluation, comparison with the champion, reproduction."""
