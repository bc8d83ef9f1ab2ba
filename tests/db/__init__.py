"""Tests of the database backend, its roles and the embedded PostgreSQL."""
