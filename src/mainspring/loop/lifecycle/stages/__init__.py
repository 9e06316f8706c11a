"""The stages of a run, one a file, in the order of `domain.run.Stage`.

Each reads what earlier stages wrote into the run's folder and may run twice: the second time changes nothing.
"""
