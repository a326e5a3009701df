"""What measurements of atoms add to the lab's context: their examples, facts and evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peftcore.data.task import Example
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.labs.common.context import LabContext
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.training.checkpoint import load_adapter
from peftcore.training.evaluation import examples_to_answer


class AtomsContext(LabContext[AtomsJob]):
    """A measurement of atoms while it is carried out."""

    @property
    def request(self) -> AtomsRequest:
        """Return what was requested."""
        return self.job.request

    def load_atoms(self, run_index: int = 0, step: int | None = None) -> AtomDictionary:
        """Load the atoms a run ended with, or had at a kept step; BadInput if it has none."""
        return AtomDictionary(load_adapter(self.runs[run_index], self.base, step))

    def write_facts(self, atom_dict: AtomDictionary, **extra: Any) -> None:
        """Write what a reader must know to judge the figures."""
        facts = self.common_facts() | {
            "split": self.run.spec.evaluation.split,
            "n": len(self.examples()),
            "read": len(self.validation_examples(0)),
            "seeds": self.run.spec.population.seed_numbers(),
            "sites": atom_dict.sites,
            "atoms": atom_dict.atoms_per_site,
            "arithmetic": "fp32" if self.run_dtype() is None else "bf16",
        }
        self.job.write_plan(facts | extra, [])

    def examples(self, run_index: int = 0) -> list[Example]:
        """Return the examples that are scored: the run's own split, as many as were requested."""
        evaluation = self.runs[run_index].spec.evaluation
        limit = self.request.examples or evaluation.limit
        options = evaluation.model_copy(update={"limit": limit})
        return list(examples_to_answer(self.tasks[run_index], options))

    def validation_examples(self, seed: int) -> list[Example]:
        """Return a seed's own validation examples, so that ranking never sees what is scored."""
        rows = self.episode(seed).dev
        return list(rows[: self.request.read or len(rows)])

    def evaluator_for(
        self, atom_dict: AtomDictionary, seed: int, rows: Sequence[Example]
    ) -> PointEvaluator:
        """Build the evaluator of one seed at gains, on examples of the first run's task."""
        return atom_dict.evaluator(seed, rows, self.batcher, self.run_dtype())
