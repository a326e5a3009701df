"""Every lab on the frame: picture above the fold, nothing cut, and links that bring views back."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from support import looks

from app.labs.limits import cache as limits_cache
from peftcore.labs.attention import first_pictures
from peftcore.models import catalog
from peftcore.runs.store import RunStore

VIEWS = {
    "attention": (
        *("Patterns", "One query, step by step", "Over a data set", "Lines"),
        "Why this answer",
    ),
    "limits": ("Pattern", "Share", "Bias", "All layers"),
    "landscape": ("Loss surface", "Cuts", "Between two", "Flatness", "Validation", "Vertices"),
    "scaling": (
        *("Scales", "Gap to words", "Gap by layer", "Learning rate", "Ablations"),
        *("Lengths", "Shots", "Stability", "Transfer", "Templates", "Explanations"),
    ),
    "atoms": ("Map", "Sparsity", "Text", "Pruning", "One atom", "Two runs", "Density"),
    "components": ("Map", "Grid", "Explanations"),
    "weights": ("Map", "Overlap", "What trains", "Combine"),
    "toys": ("01 A new pattern", "03 Composing, counting", "Capacity"),
    "images": ("Methods", "Fewer atoms", "Layers", "Single atoms", "Concept and style", "Editing"),
}
UNUSUAL = {  # what the link that is walked from says, so that a default would be noticed
    "attention": "seed=1&example=3&layer=decoder-2&head=4",
    "limits": "seed=1&example=3&layer=decoder-2&head=4&length=3",
    "landscape": "seed=0",
    "scaling": "seed=1",
    "atoms": "seed=1",
    "components": "cells=LayerNorm",
    "weights": "run=7167e5742b9c&measure=stable_rank",  # another run was mixed with it
    "toys": "digits-6=700315",
    "images": "kind=pictures_style&seed=1",
}
ASKED_FOR = {("attention", "Over a data set"), ("atoms", "One atom")}  # open on a button
DRAWN = (".js-plotly-plot", "iframe[srcdoc]", "[class*=st-key-components-map]", ".pictures")
PICTURE = f".st-key-frame-picture :is({', '.join(DRAWN)})"
SHARE = """box => {
  const r = box.getBoundingClientRect();
  return Math.max(0, Math.min(innerHeight, r.bottom) - Math.max(0, r.top)) / r.height;
}"""
SIZES = ((1280, 720), (820, 900), (390, 900))
CHOSEN = """() => [...document.querySelectorAll(
    '.st-key-frame-bar input, .st-key-frame-side input')]
  .map(input => `${input.ariaLabel}: ${input.value}`)"""


def settled(here, has_picture):
    if has_picture:
        here.page.locator(PICTURE).first.wait_for(timeout=120_000)
    here.settle()


def names_view(url, view):
    """Whether an address asks for a view, by its title or by what its title begins with."""
    asked = parse_qs(urlsplit(url).query).get("view", [""])[0]
    return asked == view or (bool(asked) and view.startswith(f"{asked} "))


def state(here):
    """What a reader sees chosen, and the finding."""
    return here.page.locator("h2").all_inner_texts(), here.page.evaluate(CHOSEN)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lab", VIEWS)
def test_every_view_has_its_picture_above_the_fold_and_its_link_brings_it_back(visit, lab):
    walk(visit(height=720), visit(height=720), lab, UNUSUAL[lab])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_on_runs_of_a_workspace_of_ones_own(visit, serve, tmp_path, monkeypatch):
    """PEFTCORE_WALK_HOME names the workspace, _MODELS and _DATA the folders of bases and tasks."""
    home = os.environ.get("PEFTCORE_WALK_HOME")
    if not home:
        pytest.skip("PEFTCORE_WALK_HOME names no workspace")
    folders = {
        f"PEFTCORE_{name}": os.environ.get(f"PEFTCORE_WALK_{name}", "")
        for name in ("MODELS", "DATA")
    }
    for name, folder in folders.items():
        monkeypatch.setenv(name, folder)
    address = serve(tmp_path, PEFTCORE_HOME=home, PEFTCORE_WARM="1", **folders).address
    done = [run for run in RunStore(Path(home) / "runs").all(False) if run.scores()]
    assert done, f"no finished run in {home}"
    for run in done:
        for lab in [lab for lab in ("attention", "limits") if lab in next_labs(run)]:
            pages = [visit(height=720, address=address) for _ in range(2)]
            walk(*pages, lab, f"run={run.id}", without_picture(run), patience_ms=4000)


def next_labs(run):
    """The labs that look into attention, where a run can be opened."""
    inside = first_pictures.works_inside_attention(run.spec.method)
    return ["attention", *(["limits"] if inside else [])]


def without_picture(run):
    """The views that open on a button or a sentence for this run."""
    views = {("limits", "Share")} if not limits_cache.has_prefix(run) else set()
    views |= {("limits", "All layers")} if not limits_cache.is_small(run.spec.base) else set()
    reads_only = catalog.describe_base(run.spec.base).kind == "encoder"
    return ASKED_FOR | views | ({("attention", "Why this answer")} if reads_only else set())


def walk(walked, opened, lab, query, without=frozenset(ASKED_FOR), patience_ms=0):
    """Go through the views of a lab in one browser, and open the link of each in another."""
    walked.open(f"{lab}?{query}")
    for view in VIEWS[lab]:
        has_picture = (lab, view) not in without
        walked.page.get_by_role("radio", name=view, exact=True).click()
        settled(walked, has_picture)
        walked.page.wait_for_url(lambda url, view=view: names_view(url, view))
        opened.open(walked.page.url.removeprefix(f"{walked.address}/"))
        settled(opened, has_picture)
        assert state(opened) == state(walked), view
        if has_picture:
            share = opened.page.locator(PICTURE).first.evaluate(SHARE)
            assert share >= 0.7, (view, share)
        opened.page.wait_for_timeout(patience_ms)
        for width, height in SIZES:
            opened.page.set_viewport_size({"width": width, "height": height})
            opened.page.wait_for_timeout(200)
            assert opened.page.evaluate(looks.SIDEWAYS) <= 0, (view, width)
            assert not opened.page.evaluate(looks.CUT), (view, width)
            assert not opened.page.evaluate(looks.OVERLAPS), (view, width)
        opened.page.set_viewport_size({"width": 1280, "height": 720})
    walked.sound()
    opened.sound()


def test_the_subject_goes_along_by_the_side_bar_and_back_is_one_step(visit):
    here = visit(height=720)
    here.open("attention?seed=2&example=5&layer=decoder-3")
    settled(here, True)
    here.page.wait_for_url("**run=**")  # what the address leaves open is written at the end
    here.settle()
    attention = here.page.url
    here.page.get_by_role("link", name="Limits").click()
    settled(here, True)
    expect(here.page.get_by_label("Seed", exact=True)).to_have_value("Seed 2")
    expect(here.page.get_by_label("Layer", exact=True)).to_have_value("Decoder 3")
    assert "example=5" in here.page.url
    here.page.go_back()
    here.page.wait_for_url(attention)
    settled(here, True)
    expect(here.page.get_by_label("Layer", exact=True)).to_have_value("Decoder 3")
    here.page.get_by_role("radio", name="Lines", exact=True).click()
    here.page.wait_for_url("**view=Lines**")
    settled(here, True)
    here.page.go_back()
    here.page.wait_for_url("**view=Patterns**")
    settled(here, True)
    here.page.reload()
    settled(here, True)
    expect(here.page.get_by_label("Seed", exact=True)).to_have_value("Seed 2")
    here.sound()
