"""The store: settings, opening and locking the warehouse, runs, models, publishing."""
