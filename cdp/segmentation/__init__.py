"""Segments: the rule language, its meaning in SQL and English, and the models it asks for."""
