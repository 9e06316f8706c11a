"""The processes of `mainspring up`, and how they are started, watched and ended."""
