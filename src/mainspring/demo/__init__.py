"""The advertising agency: a traffic simulator with a known law, and the story told with it."""
