"""Feature views with a workspace: materialisation, push, agreement."""
