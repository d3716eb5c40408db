"""Probabilistic matching: which records are likely one person, and why."""
