"""Former names of commands, which work for one version more with a note that says the new one.

They go with version 0.2: this file, its test and its use in groups.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import typer


@dataclass(frozen=True)
class Alias:
    """The words a command began with, and those it begins with now.

    Where flags chose among several commands, flags → what has become of each, nothing of most; the
    first of them has to be there.  `only`: the options that the line may have, each with its
    value, and nothing else; what has another word is a newer command of the same name.
    """

    old: str
    new: str
    flags: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def applies(self, args: Sequence[str]) -> bool:
        """Tell whether a command line begins so."""
        words = self.old.split()
        flags = {word.partition("=")[0] for word in args}
        if list(args[: len(words)]) != words or not flags >= set(list(self.flags)[:1]):
            return False
        return not self.only or self._has_only_options(args[len(words) :])

    def _has_only_options(self, args: Sequence[str]) -> bool:
        """Tell whether words are nothing but the options in `only` with their values."""
        rest = list(args)
        while rest:
            name, equals, _ = rest.pop(0).partition("=")
            if name not in self.only or not (equals or rest):
                return False
            if not equals:
                rest.pop(0)
        return True

    def translate(self, args: Sequence[str]) -> list[str]:
        """Write the command line as it is now."""
        words = self.new.split()
        for word in args[len(self.old.split()) :]:
            name, equals, value = word.partition("=")
            if now := self.flags.get(name, name):
                words.append(f"{now}{equals}{value}")
        return words


# Of several that apply the first counts.
ALIASES = (
    Alias("rates", "lr-search"),
    Alias("rate demos", "ship rating"),
    Alias("rate", "rating"),
    Alias("study", "experiment"),
    Alias("prompt-study", "experiment scaling"),
    Alias("components grid", "ship components", {"--ship": "", "--train": ""}),
    Alias("components grid", "experiment components run", {"--train": ""}),
    Alias("components grid", "experiment components start", {"--start": ""}),
    Alias("components grid", "experiment components stop", {"--stop": ""}),
    Alias("components grid", "experiment components"),
    Alias("check bias-only", "limits --check"),
    Alias("demos", "ship study-runs", {"--studies": ""}),
    Alias("demos", "ship demo-runs"),
    Alias("measured", "ship measured"),
    Alias("report", "ship measured", only=("--table", "--out")),
    Alias("pictures make", "ship images"),
    Alias("pictures", "images"),
    Alias("toys", "ship toys", {"--out": "--out"}),
    Alias("sweep", "sweep extrapolate", {"--rate": "--rate", "--preview": ""}),
    Alias("sweep", "sweep preview", {"--preview": ""}),
    Alias("sweep", "sweep compare", {"--against": "--against"}),
    Alias("sweep", "ship sweep", {"--ship": "--out"}),
)


def translate(args: list[str]) -> list[str]:
    """Put the new words for the old ones, if there are any, and note them on standard error."""
    alias = next((each for each in ALIASES if each.applies(args)), None)
    if alias is None or list(args[: len(alias.new.split())]) == alias.new.split():
        return args
    old = " ".join([alias.old, *list(alias.flags)[:1]])
    typer.echo(f"Note: `{old}` is `{alias.new}` now; the old name goes with version 0.2.", err=True)
    return alias.translate(args)
