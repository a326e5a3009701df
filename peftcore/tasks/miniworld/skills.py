"""Pretraining text of the embedded bases: passages about the world, and skills.

The skills exercise what the tasks need (checking a statement against a story, finding what is odd,
verbalising a card) in many wordings, none of them a task's own; and their texts belong to the part
of the world that tasks never sample from (`splits`).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from peftcore.tasks.miniworld import cards, events, nonsense, questions, remarks
from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.grammar import a, generic, is_mass, plural, some
from peftcore.tasks.miniworld.knowledge import split_words
from peftcore.tasks.miniworld.splits import part_of

# What no pretraining text may contain: the tasks' own templates and labels.
FORBIDDEN = ("entailment", "contradiction", "neutral", "hypothesis", "premise", "nonsensical",
             "choice1", "choice2", "explain", "sentiment", "positive", "negative", "paraphrase",
             "name[", "kind[", " | ", "&&", " a: ")  # fmt: skip

COMMON = split_words("""
the of and to in is it you that he was for on are with as his they be at one have this from or
had by but not what all were we when your can said there use an each which she do how their if
will up other about out many then them these so some her would make like him into time has look
two more go see no way could people my than first been call who its now find long down day did
get come made may part over new sound take only little work know place year live me back give
most very after thing our just name good sentence man think say great where help through much
before line right too mean old any same tell boy follow came want show also around form three
small set put end does another well large must big even such because turn here why ask went men
read need land different home us move try kind hand picture again change off play spell air away
animal house point page letter mother answer found study still learn should world high every
near add food between own below country plant last school father keep tree never start city
earth eye light thought head under story saw left few while along might close something seem
next hard open example begin life always those both paper together got group often run important
until children side feet car mile night walk white sea began grow took river four carry state
once book hear stop without second late miss idea enough eat face watch far really almost let
above girl sometimes mountain cut young talk soon list song being leave family pub restaurant
coffee shop cafe bar bistro riverside city centre town price range customer rating family
friendly kid kids child children cheap moderate expensive average low high pounds less more than
five four three two one out of stars star tower castle palace meadow harvest corner terrace
cellar italian french chinese japanese english indian fast food wine cheese fruits vegetables
meals dishes located serving serves provides provide offers offer available venue place situated
nearby area called named delicious dining eat drink customers guests visitors reviews rated
rates excellent poor quality priced prices pricing establishment atmosphere service breakfast
lunch dinner menu sushi pasta burgers welcome welcomes allowed adult adults only suitable
families located by river close bridge hotel station market square road street north south east
west bank entrance entertain comment moment continue contain container contrary control nest
necklace neat next neighbour mention attention nation voice choose chosen choir choices notice
action traction fraction direction position addition question option reason because since
therefore however although maybe perhaps possibly surely
""")
_SYLLABLES = split_words(
    "ba be bi bo bu da de di do du fa fe fi fo ga ge go ha ka ke ki ko la le li lo lu ma"
    " me mi mo mu na ne ni no nu pa pe pi po ra re ri ro ru sa se si so su ta te ti to tu"
    " va ve vi vo wa wi za ze zi zo ent al tr ch st gr pl ter ment tion ing"
)


@dataclass(frozen=True)
class SkillExample:
    """One pretraining item of a skill: the source and the target.

    `parts` are the two texts of a pair without the prompt, and `agrees` says whether the second
    follows from the first, means the same, or makes sense: what an encoder is trained on.
    """

    skill: str
    source: str
    target: str
    parts: tuple[str, str] | None = None
    agrees: bool = False


def _pseudoword(rng: random.Random) -> str:
    """Sample a made-up word, sometimes with a digit."""
    word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((1, 1, 2))))
    return word + (str(rng.randint(0, 9)) if rng.random() < 0.3 else "")


def _marker(rng: random.Random) -> str:
    """Sample a word that marks a text or an option."""
    return _pseudoword(rng) if rng.random() < 0.6 else rng.choice(COMMON)


def _markers(rng: random.Random, count: int) -> tuple[str, ...]:
    """Sample different markers for options; sometimes one word, numbered or lettered."""
    roll = rng.random()
    if roll < 0.4:
        stem = _marker(rng).rstrip("0123456789")
        start = rng.choice((1, 1, 1, 0, 2))
        marks = [f"{stem}{start + i}" for i in range(count)]
    elif roll < 0.7:
        sets = ["first second third fourth fifth", "one two three four five", "1 2 3 4 5",
                "A B C D E", "p q r s t", "top upper middle lower bottom", "v w x y z",
                "red blue green black white"]  # fmt: skip
        marks = rng.choice(sets).split()[:count]
    else:
        marks = list(dict.fromkeys(_marker(rng) for _ in range(count * 3)))[:count]
    return tuple(marks)


_LINKS = (" , since ", " since ", " because ", " , because ", " , for ", ": ")


def _answer_with_reason(rng: random.Random, answer: str, reason: str, bare: bool = False) -> str:
    """Join answer and reason, unless the answer is to be bare."""
    return answer if bare else f"{answer}{rng.choice(_LINKS)}{reason}"


# prompts for checking a statement {h} against a story {p}, with words for the three answers
_CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("story: {p} statement: {h}", ("right", "wrong", "not told")),
    ("statement: {h} story: {p}", ("right", "wrong", "not told")),
    ("check whether {h} . the story: {p}", ("right", "wrong", "not told")),
    ("we read: {p} . somebody says: {h} . is it so ?", ("yes", "no", "it does not say")),
    ("is it so that {h} ? we read: {p}", ("yes", "no", "it does not say")),
    ("text: {p} claim: {h} verdict:", ("true", "false", "unknown")),
    ("claim: {h} text: {p}", ("true", "false", "unknown")),
    ("given that {p} , can we say that {h} ?", ("surely", "never", "perhaps")),
    ("can we say that {h} , given that {p} ?", ("surely", "never", "perhaps")),
    ("judge {h} by {p}", ("fits", "clashes", "open")),
)


_SAY = ("say {0} for {1}", "{1} is {0}", "{1} = {0}", "instead of {1} write {0}", "{0} means {1}")


def _renamed(
    rng: random.Random, template: str, labels: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Rename the answers in a prompt, and name them there."""
    words = [" ".join(_marker(rng) for _ in range(rng.choice((1, 1, 2)))) for _ in labels]
    words = [f"{word}{_pseudoword(rng)}" if rng.random() < 0.4 else word for word in words]
    if len(set(words)) < len(labels):
        return template, labels
    rule_pattern = rng.choice(_SAY)
    rules = [rule_pattern.format(new, old) for new, old in zip(words, labels, strict=True)]
    rng.shuffle(rules)
    listed = rng.choice((" , ", " ; ", " . ")).join(rules)
    renamed_template = rng.choice((f"{listed} . {template}", f"{template} . {listed}"))
    return renamed_template, tuple(words)


def _fact_check(rng: random.Random) -> SkillExample | None:
    """Sample a statement to check against a story."""
    relation = rng.choice(events.RELATIONS)
    pair = events.sample_story_pair(rng, relation, lambda story: part_of(story) == "pretraining")
    template, labels = rng.choice(_CHECKS)
    if rng.random() < 0.35:  # any two markers, and any word before them
        labels = _CHECKS[0][1]
        ahead, behind = rng.choice((("{p}", "{h}"), ("{h}", "{p}")))
        first_marker, second_marker = (_marker(rng) for _ in range(2))
        colon = rng.choice((":", ":", " :", " -"))
        template = f"{first_marker}{colon} {ahead} {second_marker}{colon} {behind}"
        if rng.random() < 0.5:
            lead = " ".join(_marker(rng) for _ in range(rng.choice((1, 2))))
            template = f"{lead} {template}"
    if rng.random() < 0.4:
        template, labels = _renamed(rng, template, labels)
    source = template.format(p=pair.story, h=pair.statement)
    answer = labels[events.RELATIONS.index(relation)]
    target = _answer_with_reason(rng, answer, pair.reason, rng.random() < 0.1)
    parts = (pair.story, pair.statement)
    return SkillExample("check", source, target, parts, relation == "follows")


_ODD = (
    "which is odd ? {0}: {s} {1}: {t}",
    "one of these is silly . {0}: {s} {1}: {t}",
    "{0}: {s} {1}: {t} . which cannot be ?",
    "find the strange one . {0} ) {s} {1} ) {t}",
    "{0}: {s} {1}: {t}",
)


def _odd(rng: random.Random) -> SkillExample | None:
    """Sample two statements of which one is odd."""
    pair = nonsense.sample_nonsense(rng)
    if part_of(pair.nonsense) != "pretraining":
        return None
    marks = _markers(rng, 2)
    texts = [pair.sense, pair.nonsense]
    rng.shuffle(texts)
    template = rng.choice(_ODD)
    if rng.random() < 0.3:
        lead = " ".join(_marker(rng) for _ in range(rng.choice((1, 2, 3, 4))))
        template = f"{lead}{rng.choice(('', ' ?', ':'))} {{0}}: {{s}} {{1}}: {{t}}"
    source = template.format(*marks, s=texts[0], t=texts[1])
    answer = marks[texts.index(pair.nonsense)]
    target = _answer_with_reason(rng, answer, pair.reason, rng.random() < 0.1)
    return SkillExample("odd", source, target, (texts[0], texts[1]), texts[1] == pair.sense)


def _sensible(rng: random.Random) -> SkillExample | None:
    """Sample a statement that is sensible or not."""
    pair = nonsense.sample_nonsense(rng)
    if part_of(pair.nonsense) != "pretraining":
        return None
    template = rng.choice(("is this sensible: {}", "can it be that {} ?", "does it make sense: {}"))
    if rng.random() < 0.5:
        return SkillExample("sensible", template.format(pair.sense), "yes")
    target = _answer_with_reason(rng, "no", pair.reason)
    return SkillExample("sensible", template.format(pair.nonsense), target)


def _pick(rng: random.Random) -> SkillExample | None:
    """Sample a question with options."""
    question = questions.sample_question(rng)
    if part_of(question.text + " ".join(question.options)) != "pretraining":
        return None
    count = rng.choice((2, 3, 4, 5, 5))
    options = [question.answer, *[o for o in question.options if o != question.answer][: count - 1]]
    rng.shuffle(options)
    if rng.random() < 0.35:
        listed = rng.choice((" / ", " , ", " or ")).join(options)
        source = rng.choice((f"pick: {question.text} ? {listed}", f"{listed} - {question.text} ?"))
        return SkillExample(
            "pick", source, _answer_with_reason(rng, question.answer, question.reason)
        )
    marks = _markers(rng, count)
    sign = rng.choice((":", " )", " ="))
    listed = " ".join(f"{m}{sign} {o}" for m, o in zip(marks, options, strict=True))
    lead = rng.choice(("", "pick: ", "choose well . ", f"{_marker(rng)}: "))
    source = f"{lead}{question.text} ? {listed}"
    if "a: " in source:
        return None
    return SkillExample(
        "pick",
        source,
        _answer_with_reason(rng, marks[options.index(question.answer)], question.reason),
    )


_KEYS = {  # how a venue's slots may be called on a card
    "name": ("title", "called", "Name", "place", "sign"),
    "kind": ("type", "sort", "what", "eatery"),
    "food": ("serves", "cuisine", "menu", "Food", "dishes"),
    "price": ("prices", "cost", "price range", "costs"),
    "rating": ("customer rating", "guests say", "score", "stars"),
    "area": ("where", "part of town", "location", "Area"),
    "family": ("children", "families welcome", "family friendly", "for kids"),
    "near": ("next to", "beside", "close by", "neighbour"),
}
_SYNTAX = (  # pattern of one entry, separator
    ("{k} = {v}", " ; "), ("{k}: {v}", " , "), ("{k} ( {v} )", " "), ("{k} - {v}", " / "),
    ("<{k}> {v}", " "), ("{k} is {v}", " ; "), ("{k} {{ {v} }}", " , "), ("{k}({v})", ", "),
    ("{k}: {v}", "; "), ("{k} -> {v}", " "),
)  # fmt: skip


def _entries(rng: random.Random, rows: list[tuple[str, str]], lead: tuple[str, ...]) -> str:
    """Write the rows of a card in a random syntax."""
    pattern, separator = rng.choice(_SYNTAX)
    listed = separator.join(pattern.format(k=k, v=v) for k, v in rows)
    return f"{rng.choice(lead)}{listed}"


def _venue_card(rng: random.Random) -> SkillExample | None:
    """Sample a venue's card and its sentences."""
    slots = cards.sample_venue(rng)
    if part_of(" ".join(slots.values())) != "pretraining":
        return None
    rows = [(rng.choice(_KEYS[k]), v) for k, v in slots.items()]
    if rng.random() < 0.3:
        rows = [rows[0], *rng.sample(rows[1:], len(rows) - 1)]
    source = _entries(rng, rows, ("card: ", "tell: ", "record: ", "", f"{_marker(rng)}: "))
    return SkillExample("card", source, cards.describe_venue(slots, rng))


def _facts_card(rng: random.Random) -> SkillExample | None:
    """Sample a card of facts and its sentences, or the reverse."""
    facts = cards.sample_facts(rng, rng.choice(cards.SEEN_CATEGORIES))
    if part_of(facts.subject + str(facts.facts)) != "pretraining":
        return None
    rows = [("about", facts.subject), *facts.facts]
    text = cards.describe_facts(facts, rng)
    if rng.random() < 0.3:
        return SkillExample("facts", f"facts of: {text}", " ; ".join(f"{k} = {v}" for k, v in rows))
    return SkillExample("facts", _entries(rng, rows, ("card: ", "tell: ", "")), text)


def _story_question(rng: random.Random) -> SkillExample | None:
    """Sample a question about a story."""
    event = events.sample_event(rng, rng.choice((2, 3, 4)))
    story = events.event_text(event, rng)
    if part_of(story) != "pretraining":
        return None
    details = dict(event.details)
    aspect = rng.choice(("place", "time", "company", "who", "what"))
    if aspect == "who":
        question, answer = "who is it", a(event.subject)
    elif aspect == "what":
        thing = some(event.thing) if event.thing else ""
        question, answer = "what is done", f"{world.ing_form(event.verb)} {thing}".strip()
    else:
        words = {"place": "where", "time": "when", "company": "with whom"}
        question = f"{words[aspect]} is the {event.subject}"
        answer = details.get(aspect, "it does not say")
        if aspect == "place" and aspect in details:
            answer = world.PLACES[answer].phrase
    frame = rng.choice(("{s} . {q} ?", "{q} ? {s}", "story: {s} ask: {q} ?"))
    return SkillExample("read", frame.format(s=story, q=question), answer)


def _same(rng: random.Random) -> SkillExample | None:
    """Sample two sentences and whether they mean the same."""
    same = rng.random() < 0.5
    pair = remarks.sample_paraphrase(rng, same)
    if part_of(pair.first) != "pretraining" or part_of(pair.second) != "pretraining":
        return None
    frame, labels = rng.choice((
        ("do these agree ? {0} / {1}", ("agree", "differ")),
        ("left: {0} right: {1} same ?", ("same", "different")),
        ("{0} - or in other words - {1}", ("indeed", "not at all")),
        (f"{_marker(rng)}: {{0}} {_marker(rng)}: {{1}} . the same ?", ("same", "different")),
    ))  # fmt: skip
    source = frame.format(pair.first, pair.second)
    return SkillExample("same", source, labels[0 if same else 1], (pair.first, pair.second), same)


def _reword(rng: random.Random) -> SkillExample | None:
    """Sample a sentence and another wording of it."""
    pair = remarks.sample_paraphrase(rng, True)
    if part_of(pair.first) != "pretraining" or part_of(pair.second) != "pretraining":
        return None
    return SkillExample("reword", f"say otherwise: {pair.second}", pair.first)


def _feeling(rng: random.Random) -> SkillExample | None:
    """Sample a remark and its feeling."""
    good = rng.random() < 0.5
    remark = remarks.sample_remark(rng, good)
    if part_of(remark) != "pretraining":
        return None
    frame, labels = rng.choice((
        ("how does the speaker feel ? {}", ("glad", "upset")),
        ("{} . was it liked ?", ("liked", "disliked")),
        (f"{_marker(rng)}: {{}}", ("glad", "upset")),
    ))  # fmt: skip
    return SkillExample("feel", frame.format(remark), labels[0 if good else 1])


def _copy(rng: random.Random) -> SkillExample:
    """Sample words to repeat."""
    listed = " ".join(_marker(rng) for _ in range(rng.randint(2, 6)))
    return SkillExample("copy", f"{rng.choice(('repeat', 'copy', 'again'))}: {listed}", listed)


SKILLS: tuple[tuple[float, Callable[[random.Random], SkillExample | None]], ...] = (
    (0.45, _fact_check), (0.12, _odd), (0.03, _sensible), (0.12, _pick), (0.08, _venue_card),
    (0.03, _facts_card), (0.02, _story_question), (0.09, _same), (0.02, _reword),
    (0.02, _feeling), (0.02, _copy),
)  # fmt: skip


def sample_skill_example(rng: random.Random) -> SkillExample:
    """Sample an example of a skill by the skills' shares."""
    make = rng.choices([f for _, f in SKILLS], [w for w, _ in SKILLS])[0]
    while True:
        lesson = make(rng)
        if lesson is not None:
            return lesson


def _fact(rng: random.Random) -> str:
    """Sample one true sentence about a noun, a job, a place or a word."""
    noun = world.NOUNS[rng.choice(list(world.NOUNS))]
    options = [f"{generic(noun.word)} is {a(k)}" for k in world.kinds_of(noun.word)[:1]
               if k not in ("food",)]  # fmt: skip
    if noun.size and not noun.mass:
        options.append(f"{a(noun.word)} is {world.SIZES[noun.size]}")
    if noun.material:
        is_are = f"{generic(noun.word)} is made of {noun.material}"
        options.append(is_are)
    if noun.place and noun.kind in world.ANIMALS:
        place = world.PLACES[noun.place].phrase
        options.append(f"{plural(noun.word)} live {place}")
    if noun.word in world.OCCUPATIONS:
        job = world.OCCUPATIONS[noun.word]
        options += [f"{a(job.word)} {job.deed}", f"{a(job.word)} needs {a(job.tool)}"]
    if noun.word in world.USES:
        options.append(f"with {a(noun.word)} one can {world.USES[noun.word]}")
    if noun.word in world.BODY_PART_OF_GARMENT:
        options.append(f"{a(noun.word)} is worn on the {world.BODY_PART_OF_GARMENT[noun.word]}")
    if noun.kind in world.FOODS and not is_mass(noun.word):
        options.append(f"one can eat {a(noun.word)}")
    if rng.random() < 0.2:
        first_word, second_word = rng.choice(world.OPPOSITES)
        word = rng.choice(list(world.SYNONYMS))
        location = world.PLACES[rng.choice(list(world.PLACES))]
        options = [
            f"{first_word} is the opposite of {second_word}",
            f"{world.SYNONYMS[word]} means {word}",
            f"{second_word} is the opposite of {first_word}",
            f"the {location.word} is {location.side}",
        ]
    return rng.choice(options) if options else f"{generic(noun.word)} is food"


def sample_statement(rng: random.Random) -> str:
    """Sample one clause of a passage."""
    roll = rng.random()
    if roll < 0.4:
        return _fact(rng)
    if roll < 0.6:
        return events.event_text(events.sample_event(rng, rng.choice((1, 2, 3))), rng)
    if roll < 0.75:
        return nonsense.sample_nonsense(rng).sense
    if roll < 0.85:
        return remarks.sample_remark(rng, rng.random() < 0.5)
    if roll < 0.9:
        return questions.sample_question(rng).reason
    if roll < 0.95:
        return " ".join(_marker(rng) for _ in range(5))
    facts = cards.sample_facts(rng, rng.choice(cards.SEEN_CATEGORIES))
    return cards.describe_facts(facts, rng).rstrip(".")


def sample_passage(rng: random.Random) -> str:
    """Sample three or four sentences of plain text, or a short story with pronouns."""
    if rng.random() < 0.3:
        return _short_story(rng)
    parts: list[str] = []
    while len(parts) < 4:
        text = sample_statement(rng)
        if part_of(text) == "pretraining":
            parts.append(text)
    return " . ".join(parts) + " ."


def _short_story(rng: random.Random) -> str:
    """Sample somebody's day in three or four sentences."""
    she = rng.random() < 0.5
    name = rng.choice(world.NAMES_SHE if she else world.NAMES_HE)
    who, whose = ("she", "her") if she else ("he", "his")
    job = world.OCCUPATIONS[rng.choice(list(world.OCCUPATIONS))]
    verb = rng.choice([v for v in world.DEEDS if v not in ("follow",)])
    thing = rng.choice(world.DEEDS[verb])
    mood = rng.choice(world.VALUES["mood"])
    lines = [
        f"{name} is {a(job.word)}",
        f"{who} works {world.PLACES[job.place].phrase} and {job.deed}",
        f"{rng.choice(world.VALUES['time'])} {who} {world.past_form(verb)} {some(thing)}",
        f"{whose} {rng.choice(('brother', 'sister', 'friend', 'mother', 'father'))} was {mood}",
    ]
    return " . ".join(lines if rng.random() < 0.7 else lines[:3]) + " ."
