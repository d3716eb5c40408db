"""The commands of `cdp`, one module a noun; `cdp.cli` puts them together."""
