"""From measurements to people: what is raised, in which words, and how it is delivered."""
