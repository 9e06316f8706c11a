"""Where rows come from: one format a file, all behind `part.Part`; `opening.open_source` picks the format."""
