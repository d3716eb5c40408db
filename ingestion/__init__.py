"""Bringing in: dlt sources and pipelines, the envelope, contracts and quarantine."""
