"""Who counts, what is allowed, what is personal."""
