"""Stored results: rows with their provenance, and how claims and figures read them."""
