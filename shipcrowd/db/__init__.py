"""The database: a Django backend with two log-ins, the roles, and the PostgreSQL that demo and tests bring along."""
