"""Miniworld: plain English about a small closed world, and tasks sampled from it.

`knowledge` holds what is true, `events`, `nonsense`, `questions`, `cards` and `remarks` phrase it,
`skills` makes the text the embedded bases are pretrained on, `tasks` and `ladder` the tasks for
adapters.
Pretraining and tasks never share a sentence pair (`splits`) nor a format.
"""

from peftcore.tasks.miniworld import ladder, tasks

__all__ = ["ladder", "tasks"]
