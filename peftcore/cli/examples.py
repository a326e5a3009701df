"""The command that reads a task: sizes of its splits, its examples, and what an episode draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from peftcore import tasks
from peftcore.cli import app, options
from peftcore.data.task import Example
from peftcore.system import printing

Splits = Literal["train", "validation", "test"]


@app.command()
def examples(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Name of a task, as in `list`.")],
    split: Annotated[Splits, typer.Option(help="Split whose examples are shown.")] = "train",
    limit: Annotated[int, typer.Option(min=1, help="Most examples shown.")] = 5,
    episode: Annotated[
        int | None,
        typer.Option(help="Show what this episode of the task's benchmark draws instead."),
    ] = None,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Print examples as a model reads and should write them, or the ids of an episode."""
    options.use_data(data)
    task_info = tasks.find_task(task)
    value: dict[str, Any] = {
        "task": task,
        "title": task_info.title,
        "source": task_info.source_note,
    }
    if episode is None:
        rows: Sequence[Example] = task_info.load(split)
        value |= {"split": split, "rows": len(rows)}
    else:
        few_shot = task_info.episode(episode)
        rows = few_shot.train
        value |= {
            "episode": episode,
            "train": [row.id for row in few_shot.train],
            "dev": [row.id for row in few_shot.dev],
        }
    value["examples"] = [asdict(row) for row in rows[:limit]]

    def lines() -> Iterator[str]:
        yield f"{task_info.title}: {task_info.source_note}"
        if episode is None:
            yield f"{len(rows)} examples in {split}"
        else:
            sizes = f"{len(value['train'])} training and {len(value['dev'])} validation examples"
            yield f"episode {episode}: {sizes}"
        for row in rows[:limit]:
            yield from ("", f"{row.id}: {row.source}", f"  → {row.target}")

    printing.print_result(value, as_json, lines)
