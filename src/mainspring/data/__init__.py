"""Sources, snapshots, schema inference, validation."""
