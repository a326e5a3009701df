"""How often each interval that the app prints covers what it speaks of, by simulation.

`answers` simulates seeds that answer items, `seeds` what is measured once a seed, `raters` people
who judge items. `catalog` lists every interval with the place where it is shown, and `run` counts.
"""
