"""Flipkart's seller API in Python: types, the client, the three grants, and the wire formats below them. No Django."""
