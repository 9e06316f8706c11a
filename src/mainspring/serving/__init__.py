"""The gateway: one dataplane, protocols as thin shells."""
