"""Files as a source: which are new and complete, and what stands in them."""
