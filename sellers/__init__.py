"""Sellers: who they are, who works for them, and their line to Flipkart."""
