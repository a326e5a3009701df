"""The table of contents: section → pages, in the order of the sidebar.

A new page is one entry here and one file in `pages/`.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from peftcore import paths


@dataclass(frozen=True)
class Entry:
    """One page: its file in `pages/` (also its address), title and Material icon."""

    name: str
    title: str
    icon: str
    summary: str  # one line for the card on Home

    @property
    def file(self) -> str:
        """Absolute path of the script."""
        return str(paths.PAGES / f"{self.name}.py")

    def page(self) -> st.Page:
        """What `st.navigation` takes; Home is the default page, so its address is the root."""
        home = self.name == "home"
        return st.Page(
            self.file,
            title=self.title,
            icon=f":material/{self.icon}:",
            url_path=None if home else self.name,
            default=home,
        )


CONTENTS: dict[str, tuple[Entry, ...]] = {
    "": (Entry("home", "Home", "home", "What this is, and the latest results"),),
    "Prepare": (
        Entry(
            "data",
            "Data",
            "table_view",
            "Read a task's examples and splits, or bring your own file",
        ),
        Entry(
            "train", "Train", "model_training", "Train several adapters on one task, side by side"
        ),
        Entry("runs", "Runs", "monitoring", "Watch training live; stop, resume, download, delete"),
    ),
    "Look": (
        Entry(
            "compare",
            "Compare",
            "compare_arrows",
            "Scores with intervals over seeds, curves, answers side by side",
        ),
        Entry(
            "playground", "Playground", "edit_note", "Type an input and let every adapter answer it"
        ),
    ),
    "People": (
        Entry(
            "rate",
            "Rate",
            "rate_review",
            "Let people judge explanations blind, with a secret link for each rater",
        ),
        Entry(
            "ratings",
            "Ratings",
            "reviews",
            "What people said: scores per method, agreement, rankings, disagreements",
        ),
    ),
    "Labs": (
        Entry(
            "attention",
            "Attention",
            "grid_view",
            "What every head looks at, before and after an adapter",
        ),
        Entry(
            "limits",
            "Limits",
            "straighten",
            "What a prefix can and cannot do to an attention layer, measured",
        ),
        Entry(
            "landscape",
            "Landscape",
            "landscape",
            "Losses around and between adapters: a simplex seen, cut, measured, questioned",
        ),
        Entry(
            "scaling",
            "Scaling",
            "linear_scale",
            "What scales do to soft tokens: lengths, gap to words, ablations, transfer",
        ),
        Entry(
            "components",
            "Components",
            "view_module",
            "Which of a base's own weights are trained, what each gains, and how it explains",
        ),
        Entry(
            "atoms",
            "Atoms",
            "grain",
            "Sparse atoms read, pruned, removed one by one, and combined",
        ),
        Entry(
            "images",
            "Images",
            "image",
            "Small models that draw: new digits, shapes and styles, atom by atom",
        ),
        Entry(
            "toys",
            "Toys",
            "toys",
            "Tiny transformers that sort and count, whole, with a prefix, with LoRA",
        ),
    ),
}


def entries() -> list[Entry]:
    """Every page, in order."""
    return [entry for section in CONTENTS.values() for entry in section]


def find(name: str) -> Entry:
    """The entry of a page, for links from other pages."""
    return next(entry for entry in entries() if entry.name == name)


def pages() -> dict[str, list[st.Page]]:
    """The table as `st.navigation` takes it."""
    return {title: [entry.page() for entry in section] for title, section in CONTENTS.items()}


def rater_pages() -> list[st.Page]:
    """All that a rater's visit can reach: the Rate page, at the root and at its own address."""
    rate = find("rate")
    icon = f":material/{rate.icon}:"  # the root needs an address of its own, though it is unused
    root = st.Page(rate.file, title=rate.title, icon=icon, url_path="rating", default=True)
    return [root, rate.page()]


def door_pages() -> list[st.Page]:
    """The way in at every address, for those who have yet to sign in."""
    rate = find("rate")
    others = [entry.name for entry in entries() if entry.name not in ("home", rate.name)]
    return [*rater_pages(), *(st.Page(rate.file, title=rate.title, url_path=n) for n in others)]
