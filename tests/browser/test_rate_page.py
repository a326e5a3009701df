"""Raters in a real browser: keys, drafts, blindness, and the way from training to Compare."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from playwright.sync_api import expect
from support import ratings as rated

from app.rating import session
from peftcore import paths, rating
from peftcore.adapters.base import METHODS

PATIENCE = 200_000  # milliseconds; far more than needed, for machines with busy neighbours


FIELDS = (
    ("Items", "2"),
    ("Raters per item", "1"),
    ("Attention checks", "0"),
    ("Practice items", "0"),
)


def link(book, project):
    return f"rate?r={rating.invite(book, rated.ME, project.id, 'Ann').token}"


class Card:
    """The card as a rater uses it, with everything that passed over the wire."""

    def __init__(self, here, path):
        self.here, self.page, self.wire = here, here.page, []
        here.listen("websocket", self._listen)
        here.listen("response", lambda response: self.wire.append(response.url.encode()))
        here.open(path)
        self.box = self.page.locator("section.card")
        self.box.wait_for()

    def _listen(self, socket):
        def keep(payload):
            self.wire.append(payload if isinstance(payload, bytes) else payload.encode())

        socket.on("framereceived", keep)
        socket.on("framesent", keep)

    def press(self, *keys, pause=50):
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(pause)

    def close_guidelines(self):
        expect(self.page.get_by_role("dialog", name="Guidelines")).to_be_visible()
        self.press("Enter")
        expect(self.page.get_by_role("dialog", name="Guidelines")).to_be_hidden()

    def count(self, name):
        return int(self.box.get_attribute(f"data-{name}") or 0)

    def reached(self, acts):
        """Wait until the server has acknowledged so many acts, and no more were sent."""
        expect(self.box).to_have_attribute("data-acknowledged", str(acts), timeout=PATIENCE)
        assert self.count("sent") == acts

    def stage(self, name):
        expect(self.box).to_have_attribute("data-stage", name, timeout=PATIENCE)


@pytest.mark.timeout(600)
def test_thirty_items_by_keyboard_with_no_key_lost_and_no_method_named(visit, book, served):
    project = rated.project(book, 30)
    card = Card(visit(), link(book, project))
    card.close_guidelines()
    expect(card.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    card.press(*("1", "2", "3", "2") * 5)  # twenty keys, 50 milliseconds apart
    card.reached(20)
    assert card.box.get_by_role("radio", name="neutral").is_checked()
    card.press("Enter")
    card.stage("judge")
    # Typing never rates, and the box keeps its own undo.
    card.press("m", "1", "s", "u", "Enter", "b", pause=20)
    comment = card.box.get_by_role("textbox")
    expect(comment).to_have_value("1su\nb")
    card.press("Control+z")
    assert comment.input_value() != "1su\nb"
    comment.fill("fine with me")
    card.press("Escape", "2", "l")
    sent = card.count("sent")
    card.reached(sent)
    # A reload finds item, answer, verdict, shortcoming and comment again.
    card.page.reload()
    card.box.wait_for()
    card.stage("judge")
    expect(card.box.get_by_role("radio", name="Weak yes")).to_be_checked()
    expect(card.box.get_by_role("checkbox", name="Too trivial")).to_be_checked()
    expect(card.box.get_by_role("textbox")).to_have_value("fine with me")
    card.here.settle()
    card.here.shot("rate-card")
    card.press("Enter")
    expect(card.box.get_by_text("1 of 30 rated")).to_be_visible(timeout=PATIENCE)
    # Skip, undo of the skip, and undo of a rating.
    sent = card.count("sent")
    card.press("s", "u", "1", "Enter", "4", "Enter", "u", "3", "Enter")
    card.reached(sent + 9)
    expect(card.box.get_by_text("2 of 30 rated")).to_be_visible(timeout=PATIENCE)
    # The server goes away while an answer is on its way, and a new one goes on at the same item.
    served.stop()
    card.press("1", "Enter")
    served.start()
    card.stage("judge")
    expect(card.box.get_by_text("Item 3", exact=True)).to_be_visible()
    expect(card.box.get_by_text("2 of 30 rated")).to_be_visible()
    card.press(*("1", "Enter"), *("1", "Enter", "1", "Enter") * 27)
    card.stage("end")
    expect(card.box.get_by_text("You have rated 30")).to_be_visible()
    card.here.sound()
    verdicts = rating.verdict_table(book, rated.ME, project.id)
    assert len(verdicts) == 30
    assert verdicts["verdict"].tolist().count("yes") == 28
    assert verdicts["comment"].tolist().count("fine with me") == 1
    assert verdicts["verdict"].tolist().count("weak no") == 1
    assert_blind(card)


@pytest.mark.timeout(600)
def test_a_rater_has_keys_and_a_language_of_their_own(visit, book):
    texts = {"de": "Zuerst selbst antworten.\n- Eine gute Erklärung ist knapp."}
    project = rated.project(book, 3, translations=texts)
    card = Card(visit(), link(book, project))
    dialog = card.page.get_by_role("dialog", name="Guidelines")
    text = dialog.locator(".guidelines")
    expect(text).to_have_attribute("lang", "en")
    dialog.get_by_role("combobox", name="Language of the guidelines").select_option("de")
    expect(text).to_have_attribute("lang", "de")
    expect(text).to_contain_text("Eine gute Erklärung ist knapp.")
    card.here.shot("rate-languages")
    dialog.get_by_text("Keys", exact=True).click()
    dialog.get_by_label("Choice 1", exact=True).fill("q")
    dialog.get_by_label("Skip", exact=True).fill("q")
    expect(dialog.get_by_role("status")).to_have_text(
        "q would do two things: “Choice 1” and “Skip”."
    )
    save = dialog.get_by_role("button", name="Save these keys")
    expect(save).to_be_disabled()
    card.here.shot("rate-keys")
    dialog.get_by_label("Skip", exact=True).fill("w")
    save.click()
    expect(dialog).to_be_hidden()
    card.reached(2)
    card.press("1", "s")  # mean nothing any more
    card.press("q", "Enter")
    card.stage("judge")
    card.press("q", "Enter")
    expect(card.box.get_by_text("1 of 3 rated")).to_be_visible(timeout=PATIENCE)
    card.press("w")
    expect(card.box.get_by_text("Item 3", exact=True)).to_be_visible(timeout=PATIENCE)
    card.page.reload()  # the link has them, not the tab
    card.box.wait_for()
    expect(card.box.get_by_role("button", name="Skip")).to_contain_text("w")
    card.here.sound()


def assert_blind(card):
    """Nothing that reached or left the browser names a method, a run or the project."""
    wire = b"\n".join(card.wire) + card.page.content().encode()
    assert b"reason 7" in wire  # the explanations did pass, and would have been seen
    assert b"fine with me" in wire
    for name in (*rated.METHODS, "aaaaaaaaaaaa", "Made up"):
        assert name.encode() not in wire
    for name in (*METHODS, *(method.title for method in METHODS.values())):
        assert not re.search(rb"\b" + re.escape(name.encode()) + rb"\b", wire), name


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("scheme", "mode"), [("light", "likert"), ("dark", "pairwise")])
def test_a_phone_rates_and_screen_readers_find_nothing_serious(visit, book, scheme, mode):
    from axe_playwright_python.sync_playwright import Axe

    items = [rated.pair(n) for n in range(2)] if mode == "pairwise" else 2
    project = rated.project(book, items, mode=mode)
    card = Card(visit(width=390, height=844, scheme=scheme), link(book, project))
    for stage in ("guidelines", "answer", "judge"):
        if stage == "answer":
            card.close_guidelines()
        if stage == "judge":
            card.box.get_by_text("neutral").click()
            card.box.get_by_role("button", name="Show the explanation").click()
            card.stage("judge")
        found = Axe().run(card.page).response["violations"]
        grave = [
            (each["id"], [node["html"][:200] for node in each["nodes"]][:3])
            for each in found
            if each["impact"] in ("serious", "critical")
        ]
        assert not grave, grave
        wide = card.page.evaluate(
            "[...document.querySelectorAll('[data-testid=stMain]')]"
            ".map(box => box.scrollWidth - box.clientWidth)[0]"
        )
        assert wide <= 0
    card.here.settle()
    card.here.shot(f"rate-{mode}-{scheme}-phone")
    if mode == "pairwise":
        card.box.get_by_text("Right", exact=True).click()
    else:
        for row in card.box.locator(".scales fieldset").all():
            row.get_by_text("4", exact=True).click()
    card.box.get_by_role("button", name="Save and go on").click()
    expect(card.box.get_by_text("1 of 2 rated")).to_be_visible(timeout=PATIENCE)
    card.here.sound()


MOVES = """
async ([code, data, next]) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const mount = (await import(url)).default;
  const sent = [];
  const component = (data) => {
    const parentElement = document.body.appendChild(document.createElement("div"));
    return { parentElement, data, setStateValue: (name, value) => sent.push(value.acts) };
  };
  const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", { key }));
  const old = component(data);
  const leave = mount(old);
  document.querySelector("dialog[open]")?.close();
  for (const key of ["1", "Enter", "1", "Enter"]) press(key); // the last two wait
  const before = sent.at(-1).map((act) => act.do);
  const client = sent.at(-1)[0].client;
  next.applied = { [client]: 2 };
  const young = component(next);
  mount(young);
  leave();
  const cards = [...document.querySelectorAll("section.card")];
  return {
    before,
    after: sent.at(-1).map((act) => act.do),
    clients: [...new Set(sent.flat().map((act) => act.client))].length,
    cards: cards.length,
    moved: young.parentElement.contains(cards[0]),
  };
}
"""


def test_a_card_that_streamlit_builds_anew_keeps_the_keys_that_wait(chromium, home):
    """On a busy server the element comes anew between two screens; the card moves into it."""
    book = rating.RatingStore()
    who = rated.rater(book, rated.project(book, 2))
    rater_session = session.RaterSession()
    first = session.card_payload(book, who, rater_session)
    lease, answer = first["screen"]["lease"], first["screen"]["options"][0]
    actions = [
        {"client": "x", "n": 1, "do": "draft", "lease": lease, "content": {"answer": answer}},
        {"client": "x", "n": 2, "do": "answer", "lease": lease, "text": answer},
    ]
    session.apply_actions(book, who, rater_session, actions)
    then = session.card_payload(book, who, rater_session)
    assert (first["stage"], then["stage"]) == ("answer", "judge")
    page = chromium.new_page()
    code = (paths.ROOT / "app" / "frontend" / "rate_card.js").read_text()
    moves = page.evaluate(MOVES, [code, first, then])
    page.close()
    assert moves["before"] == ["draft", "answer"]
    assert moves["after"] == [
        "draft",
        "rate",
    ]  # what was typed while the next screen was on its way
    assert (moves["clients"], moves["cards"], moves["moved"]) == (1, 1, True)


@pytest.mark.timeout(900)
def test_from_training_over_rating_to_the_comparison(visit, book, command):
    run = trained(command)
    here = visit()
    here.open("rate?rate.view=New+project")
    page = here.page
    task = page.get_by_role("combobox", name="Task")  # the newest run's
    expect(task).to_have_value(re.compile("nonsensical"), timeout=PATIENCE)
    for name, value in FIELDS:
        field = page.get_by_role("spinbutton", name=name, exact=True)
        field.fill(value)
        field.press("Enter")
        here.settle()
    page.get_by_test_id("stButtonGroup").get_by_text("all", exact=True).click()
    here.settle()
    page.get_by_role("button", name="Make the project").click()
    page.get_by_role("button", name="Open the project").click(timeout=PATIENCE)
    here.settle()
    page.get_by_role("textbox", name="Names, one on each line").fill("Ann")
    page.get_by_role("button", name="Make links").click()
    address = page.get_by_test_id("stCode").inner_text(timeout=PATIENCE).strip()
    here.sound()
    card = Card(visit(), address.rpartition("/")[2])
    card.close_guidelines()
    while card.box.get_attribute("data-stage") != "end":
        before = card.count("sent")
        card.press("1", "Enter", "1", "Enter")
        card.reached(before + 4)
    card.here.sound()
    here.open(f"compare?runs={run}")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible(timeout=PATIENCE)
    scores = rating.human_scores(book, rated.ME, [run])
    assert scores[run].score == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    row = pd.read_csv(download.value.path(), dtype={"run": str}).iloc[0]
    assert (row["run"], row["human_score"], row["human_raters"]) == (run, 1, 1)
    assert row["human_items"] == scores[run].items
    here.shot("rate-compare")
    here.sound()


def trained(command):
    """A short training on the random base, by the command line in the server's workspace."""
    settings = ("dev=2", "batch=2", "limit=6", "max_new_tokens=3", "length=2")
    words = ["--base", "random-t5", "--task", "miniworld_nonsense", "--method", "prompt_tuning"]
    words += ["--seeds", "1", "--steps", "2", "--shots", "4"]
    words += [word for each in settings for word in ("--set", each)]
    return command("train", *words)["run"]
