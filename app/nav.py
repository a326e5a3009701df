"""The table of contents: section → pages, in the order of the sidebar.

A new page is one entry here and one file in `pages/`.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from peftcore import paths


@dataclass(frozen=True)
class PageEntry:
    """One page: its file in `pages/` (also its address), title and Material icon."""

    name: str
    title: str
    icon: str
    summary: str  # one line for the card on Home

    @property
    def script_path(self) -> str:
        """Absolute path of the script."""
        return str(paths.PAGES / f"{self.name}.py")

    def streamlit_page(self) -> st.Page:
        """Return the page for `st.navigation`; Home is the default, so its address is the root."""
        is_home = self.name == "home"
        return st.Page(
            self.script_path,
            title=self.title,
            icon=f":material/{self.icon}:",
            url_path=None if is_home else self.name,
            default=is_home,
        )


PAGES_BY_SECTION: dict[str, tuple[PageEntry, ...]] = {
    "": (PageEntry("home", "Home", "home", "What this is, and the latest results"),),
    "Learn": (
        PageEntry(
            "learn",
            "Stories",
            "school",
            "What prefixes, simplexes, scales and atoms do, in six stories of a few pictures",
        ),
    ),
    "Prepare": (
        PageEntry(
            "data",
            "Data",
            "table_view",
            "Read a task's examples and splits, or bring your own file",
        ),
        PageEntry(
            "models",
            "Models",
            "deployed_code",
            "Base models: what each is, and what each method trains on it; add one",
        ),
        PageEntry(
            "train", "Train", "model_training", "Train several adapters on one task, side by side"
        ),
        PageEntry(
            "runs", "Runs", "monitoring", "Watch training live; stop, resume, download, delete"
        ),
    ),
    "Look": (
        PageEntry(
            "compare",
            "Compare",
            "compare_arrows",
            "Which run is ahead, by how much and how sure; flips, slices, curves, answers",
        ),
        PageEntry(
            "playground", "Playground", "edit_note", "Type an input and let every adapter answer it"
        ),
    ),
    "People": (
        PageEntry(
            "rate",
            "Rate",
            "rate_review",
            "Let people judge explanations blind, with a secret link for each rater",
        ),
        PageEntry(
            "ratings",
            "Ratings",
            "reviews",
            "What raters answered: scores per method, agreement, rankings, disagreements",
        ),
    ),
    "Labs": (
        PageEntry(
            "attention",
            "Attention",
            "grid_view",
            "What every head looks at, before and after an adapter",
        ),
        PageEntry(
            "limits",
            "Limits",
            "straighten",
            "What a prefix can and cannot do to an attention layer, measured",
        ),
        PageEntry(
            "weights",
            "Weights",
            "tune",
            "What an adapter changed where: sizes, directions, intruders, and what trains",
        ),
        PageEntry(
            "ladder",
            "Ladder",
            "stairs",
            "What each method can teach a base, rung by rung of what is new to it",
        ),
        PageEntry(
            "landscape",
            "Landscape",
            "landscape",
            "Losses around and between adapters: maps, cuts, flatness, validation",
        ),
        PageEntry(
            "scaling",
            "Scaling",
            "linear_scale",
            "What scales do to soft tokens: lengths, gap to words, ablations, transfer",
        ),
        PageEntry(
            "components",
            "Components",
            "view_module",
            "Which of a base's own weights are trained, what each gains, and how it explains",
        ),
        PageEntry(
            "atoms",
            "Atoms",
            "grain",
            "Sparse atoms read, pruned, removed one by one, and combined",
        ),
        PageEntry(
            "images",
            "Images",
            "image",
            "Small models that draw: new digits, shapes and styles, atom by atom",
        ),
        PageEntry(
            "toys",
            "Toys",
            "toys",
            "Tiny transformers that sort and count, whole, with a prefix, with LoRA",
        ),
    ),
}


def page_entries() -> list[PageEntry]:
    """Every page, in order."""
    return [page for section in PAGES_BY_SECTION.values() for page in section]


def find_page(name: str) -> PageEntry:
    """The entry of a page, for links from other pages."""
    return next(page for page in page_entries() if page.name == name)


def navigation_pages() -> dict[str, list[st.Page]]:
    """The table as `st.navigation` takes it."""
    return {
        title: [entry.streamlit_page() for entry in section]
        for title, section in PAGES_BY_SECTION.items()
    }


def rater_pages() -> list[st.Page]:
    """All that a rater's visit can reach: the Rate page, at the root and at its own address."""
    rate = find_page("rate")
    icon = f":material/{rate.icon}:"  # the root needs an address of its own, though it is unused
    root = st.Page(rate.script_path, title=rate.title, icon=icon, url_path="rating", default=True)
    return [root, rate.streamlit_page()]


def sign_in_pages() -> list[st.Page]:
    """The way in at every address, for those who have yet to sign in."""
    rate = find_page("rate")
    others = [page.name for page in page_entries() if page.name not in ("home", rate.name)]
    return [
        *rater_pages(),
        *(st.Page(rate.script_path, title=rate.title, url_path=n) for n in others),
    ]
