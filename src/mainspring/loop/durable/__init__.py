"""Durable workflows: DBOS on the workspace's own database, and the lease that lets one process run them."""
