"""Score jobs: tables that are scored by hand or by schedule."""
