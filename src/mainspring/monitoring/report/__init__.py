"""The report on a model: one content, shown as a page, in the terminal and as JSON."""
