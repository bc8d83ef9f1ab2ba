"""migrate and flush as the owner, roles, worker."""
