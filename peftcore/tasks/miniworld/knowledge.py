"""What is true in Miniworld: nouns, kinds, sizes, places, jobs, verbs, opposites and synonyms.

Every sentence, question and reason of Miniworld is derived from these tables, so facts never
disagree.  The tables are plain words in columns; `_table` reads them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

SIZES = ("", "tiny", "small", "middle-sized", "big", "huge")  # the index is the size of a noun


@dataclass(frozen=True)
class Noun:
    """A thing, animal or person; `size` indexes SIZES."""

    word: str
    kind: str
    size: int = 0
    material: str = ""  # what a thing is made of
    place: str = ""  # where an animal lives or a thing is found
    mass: bool = False  # "some bread", not "a bread"


@dataclass(frozen=True)
class Occupation:
    """A person's job: what they do, where, and with which tool."""

    word: str
    place: str
    deed: str  # third person: "bakes bread"
    tool: str


@dataclass(frozen=True)
class Place:
    """A place where things happen, with its preposition."""

    word: str
    preposition: str
    side: str  # "inside" or "outside"

    @property
    def phrase(self) -> str:
        """The place as an adverbial, as in "in the kitchen"."""
        return f"{self.preposition} the {self.word}"


def split_words(text: str) -> list[str]:
    """Split a text into words."""
    return text.split()


def _word_rows(text: str) -> list[list[str]]:
    """Split each line of a table into words."""
    return [line.split() for line in text.strip().splitlines()]


# kind → the kind above it; the top kinds are absent.
PARENT_KIND = {
    "fruit": "food", "vegetable": "food", "meal": "food", "sweet": "food",
    "bird": "animal", "fish": "animal", "insect": "animal", "beast": "animal",
    "worker": "person", "man": "person", "woman": "person", "child": "person",
    "tool": "thing", "garment": "thing", "container": "thing", "vehicle": "thing",
    "instrument": "thing", "toy": "thing", "furniture": "thing", "paper": "thing",
}  # fmt: skip
# kinds nobody would say aloud are skipped when a noun is named by its kind
SPOKEN_KIND = {"furniture": "piece of furniture", "worker": "person", "beast": "animal",
          "paper": "thing", "meal": "food"}  # fmt: skip

# word kind size material place; "~" marks a mass noun, "-" an empty column
_NOUNS = """
apple fruit 2 - orchard
pear fruit 2 - orchard
plum fruit 1 - orchard
cherry fruit 1 - orchard
banana fruit 2 - market
lemon fruit 2 - market
peach fruit 2 - orchard
grape fruit 1 - market
melon fruit 3 - market
orange fruit 2 - market
carrot vegetable 2 - garden
onion vegetable 2 - garden
potato vegetable 2 - field
cabbage vegetable 3 - garden
bean vegetable 1 - garden
pea vegetable 1 - garden
leek vegetable 2 - garden
tomato vegetable 2 - garden
pumpkin vegetable 3 - field
~bread meal 2 flour bakery
~soup meal 2 - kitchen
~rice meal 1 - kitchen
~cheese meal 2 milk farm
egg meal 1 - farm
sandwich meal 2 bread cafe
pizza meal 3 - restaurant
sausage meal 2 meat market
~pasta meal 2 flour restaurant
cake sweet 2 flour bakery
pie sweet 2 flour bakery
biscuit sweet 1 flour bakery
~honey sweet 1 - farm
~chocolate sweet 1 - shop
~jam sweet 1 fruit kitchen
~milk drink 1 - farm
~tea drink 1 - cafe
~coffee drink 1 - cafe
~juice drink 1 fruit cafe
~water drink 1 - river
~lemonade drink 1 - cafe
hammer tool 2 metal workshop
saw tool 3 metal workshop
axe tool 3 metal forest
spade tool 3 metal garden
needle tool 1 metal workshop
broom tool 3 wood kitchen
spoon tool 2 metal kitchen
fork tool 2 metal kitchen
knife tool 2 metal kitchen
brush tool 2 wood workshop
ladder tool 4 wood workshop
rope tool 3 - harbour
pencil tool 1 wood school
rake tool 3 wood garden
key tool 1 metal house
lamp tool 2 metal house
towel tool 2 cotton house
comb tool 1 wood house
coat garment 3 wool shop
hat garment 2 straw shop
scarf garment 2 wool shop
glove garment 2 leather shop
boot garment 2 leather shop
shoe garment 2 leather shop
sock garment 1 wool shop
shirt garment 2 cotton shop
dress garment 3 cotton shop
skirt garment 3 cotton shop
jacket garment 3 leather shop
cap garment 2 cotton shop
belt garment 2 leather shop
basket container 3 straw market
box container 3 paper shop
cup container 1 clay kitchen
bowl container 2 clay kitchen
bottle container 2 glass kitchen
bucket container 3 metal farm
bag container 3 leather shop
pot container 2 metal kitchen
jar container 2 glass kitchen
barrel container 4 wood harbour
pan container 2 metal kitchen
car vehicle 5 metal street
bus vehicle 5 metal street
bicycle vehicle 4 metal street
boat vehicle 5 wood harbour
train vehicle 5 metal station
cart vehicle 4 wood farm
truck vehicle 5 metal street
ship vehicle 5 metal harbour
sledge vehicle 4 wood mountain
flute instrument 2 wood theatre
drum instrument 3 leather theatre
piano instrument 5 wood theatre
violin instrument 2 wood theatre
guitar instrument 3 wood theatre
trumpet instrument 2 metal theatre
bell instrument 2 metal church
doll toy 2 cotton house
ball toy 2 leather park
kite toy 3 paper beach
puzzle toy 2 wood house
balloon toy 2 rubber park
chair furniture 3 wood house
table furniture 4 wood house
bed furniture 5 wood house
shelf furniture 4 wood library
bench furniture 4 wood park
desk furniture 4 wood school
sofa furniture 5 leather house
book paper 2 paper library
letter paper 1 paper house
map paper 2 paper school
newspaper paper 2 paper cafe
ticket paper 1 paper station
picture paper 2 paper museum
dog beast 3 - house
cat beast 2 - house
horse beast 5 - farm
cow beast 5 - farm
sheep beast 4 - farm
goat beast 4 - farm
pig beast 4 - farm
mouse beast 1 - field
rabbit beast 2 - field
fox beast 3 - forest
wolf beast 4 - forest
bear beast 5 - forest
deer beast 4 - forest
squirrel beast 2 - forest
camel beast 5 - desert
lion beast 4 - desert
elephant beast 5 - desert
whale beast 5 - sea
seal beast 4 - sea
robin bird 1 - garden
crow bird 2 - field
owl bird 2 - forest
duck bird 2 - pond
hen bird 2 - farm
goose bird 3 - pond
eagle bird 3 - mountain
gull bird 2 - beach
trout fish 2 - river
salmon fish 3 - river
shark fish 5 - sea
carp fish 2 - pond
bee insect 1 - garden
ant insect 1 - forest
fly insect 1 - kitchen
beetle insect 1 - forest
butterfly insect 1 - garden
"""
_JOBS = """
baker bakery bakes_bread oven
farmer farm grows_vegetables spade
nurse hospital helps_the_sick bandage
doctor hospital treats_the_sick needle
teacher school teaches_children book
painter workshop paints_walls brush
sailor harbour sails_ships rope
cook restaurant cooks_meals pan
gardener garden plants_flowers rake
driver street drives_buses bus
singer theatre sings_songs microphone
dancer theatre dances_on_a_stage shoe
builder street builds_houses ladder
fisher river catches_fish net
tailor shop sews_dresses needle
smith workshop bends_metal hammer
writer library writes_books pencil
waiter cafe serves_guests tray
pilot airport flies_planes plane
guard museum watches_the_doors torch
barber shop cuts_hair comb
carpenter workshop makes_tables saw
student school learns_lessons book
clerk office answers_letters desk
cleaner office sweeps_floors broom
"""
_PLACES = """
kitchen in inside
bakery in inside
market at outside
park in outside
garden in outside
river by outside
beach on outside
farm on outside
school at inside
hospital in inside
library in inside
harbour at outside
restaurant in inside
cafe in inside
theatre in inside
museum in inside
station at inside
street on outside
forest in outside
field in outside
shop in inside
workshop in inside
office in inside
church in inside
house in inside
orchard in outside
mountain on outside
pond by outside
airport at inside
sea in outside
desert in outside
bridge on outside
"""
_PEOPLE = "man:man woman:woman boy:child girl:child"

NOUNS: dict[str, Noun] = {}
for _word, _kind, _size, _material, _place in _word_rows(_NOUNS):
    _bare = _word.lstrip("~")
    NOUNS[_bare] = Noun(
        _bare, _kind, int(_size), _material.strip("-"), _place.strip("-"), _word != _bare
    )
OCCUPATIONS: dict[str, Occupation] = {
    row[0]: Occupation(row[0], row[1], row[2].replace("_", " "), row[3])
    for row in _word_rows(_JOBS)
}
for _job in OCCUPATIONS.values():
    NOUNS[_job.word] = Noun(_job.word, "worker", 4, place=_job.place)
for _pair in _PEOPLE.split():
    _word, _, _kind = _pair.partition(":")
    NOUNS[_word] = Noun(_word, _kind, 4 if _kind != "child" else 3)
PLACES: dict[str, Place] = {row[0]: Place(*row) for row in _word_rows(_PLACES)}

THINGS = ("tool", "garment", "container", "vehicle", "instrument", "toy", "furniture", "paper")
FOODS = ("fruit", "vegetable", "meal", "sweet")
ANIMALS = ("beast", "bird", "fish", "insect")
PEOPLE = ("worker", "man", "woman", "child")
NOUNS_BY_KIND: dict[str, list[str]] = {}
for _noun in NOUNS.values():
    NOUNS_BY_KIND.setdefault(_noun.kind, []).append(_noun.word)


@functools.cache
def nouns_of(*kinds: str, largest: int = 5, smallest: int = 0) -> tuple[str, ...]:
    """Return the nouns of some kinds within limits of size, in the order of the tables."""
    return tuple(w for k in kinds for w in NOUNS_BY_KIND[k] if smallest <= NOUNS[w].size <= largest)


@functools.cache
def kinds_of(word: str) -> tuple[str, ...]:
    """Return the hypernyms of a noun, nearest first: apple → fruit, food."""
    kind = NOUNS[word].kind
    chain = (
        [kind]
        if kind not in SPOKEN_KIND or SPOKEN_KIND[kind] not in (PARENT_KIND.get(kind), "")
        else []
    )
    chain = [SPOKEN_KIND.get(k, k) for k in chain] + (
        [PARENT_KIND[kind]] if kind in PARENT_KIND else []
    )
    return tuple(k for k in dict.fromkeys(chain) if k != word)


NAMES_SHE = split_words(
    "anna mary lucy emma rosa nina clara ella ida olga vera julia sara eva lily hanna marta jane"
)
NAMES_HE = split_words(
    "tom ben paul max jack oscar hugo leo emil adam peter frank simon victor otto carl henry noah"
)

COLOURS = split_words("red blue green yellow black white brown grey pink purple")
FUR = split_words("black white brown grey")
MATERIALS = split_words("wood metal wool cotton leather glass clay paper straw rubber")
# dimension → values that exclude each other
VALUES: dict[str, tuple[str, ...]] = {
    "age": ("young", "old"),
    "height": ("tall", "short"),
    "mood": ("happy", "sad", "angry", "tired", "hungry"),
    "colour": tuple(COLOURS),
    "fur": tuple(FUR),
    "size": ("big", "small"),
    "state": ("clean", "dirty"),
    "freshness": ("fresh", "stale"),
    "time": ("in the morning", "in the afternoon", "in the evening", "at night"),
    "company": ("alone", "with a friend", "with two brothers", "with a sister"),
    "manner": ("slowly", "quickly"),
    "number": ("two", "three", "four"),
}
OPPOSITES = [
    ("young", "old"), ("tall", "short"), ("happy", "sad"), ("big", "small"), ("clean", "dirty"),
    ("fresh", "stale"), ("slowly", "quickly"), ("hot", "cold"), ("wet", "dry"), ("hard", "soft"),
    ("heavy", "light"), ("loud", "quiet"), ("full", "empty"), ("open", "closed"),
    ("rich", "poor"), ("strong", "weak"), ("early", "late"), ("cheap", "expensive"),
    ("inside", "outside"), ("day", "night"), ("summer", "winter"), ("sweet", "sour"),
    ("bright", "dark"), ("fast", "slow"), ("long", "brief"), ("kind", "cruel"),
]  # fmt: skip
SYNONYMS = {
    "big": "large", "small": "little", "happy": "glad", "angry": "cross", "tired": "sleepy",
    "slowly": "without haste", "quickly": "in a hurry", "old": "aged", "dirty": "filthy",
    "alone": "without company", "fixing": "repairing", "fixed": "repaired",
    "holding": "gripping", "held": "gripped", "watching": "observing", "watched": "observed",
    "following": "trailing", "followed": "trailed", "buying": "purchasing",
    "bought": "purchased", "resting": "relaxing", "rested": "relaxed",
    "talking": "chatting", "talked": "chatted", "hiding": "concealing", "hid": "concealed",
    "at night": "after dark",
}  # fmt: skip

# base → (third person, -ing, past)
_IRREGULAR = {
    "eat": "ate", "hold": "held", "find": "found", "buy": "bought", "wear": "wore",
    "drive": "drove", "feed": "fed", "cut": "cut", "drink": "drank", "draw": "drew",
    "sell": "sold", "hide": "hid", "read": "read", "sit": "sat", "run": "ran", "swim": "swam",
    "sleep": "slept", "sing": "sang", "stand": "stood", "fly": "flew", "ride": "rode",
    "bring": "brought", "put": "put", "write": "wrote", "dig": "dug", "sweep": "swept",
    "sew": "sewed", "lose": "lost", "see": "saw", "go": "went", "make": "made",
}  # fmt: skip
_DOUBLED = split_words("cut sit run swim put dig drop chop")


def ing_form(verb: str) -> str:
    """Return the -ing form of a verb."""
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ing"
    return verb.removesuffix("e") + "ing" if not verb.endswith("ee") else verb + "ing"


def past_form(verb: str) -> str:
    """Return the simple past of a verb."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ed"
    if verb.endswith("y") and verb[-2] not in "aeou":
        return verb[:-1] + "ied"
    return verb.removesuffix("e") + "ed"


_SMALL = nouns_of("tool", "container", "toy", "instrument", "paper", "garment", largest=3)
_FOOD = nouns_of(*FOODS)
# verb → what it is done to; subjects are people
DEEDS: dict[str, tuple[str, ...]] = {
    "eat": _FOOD,
    "cook": nouns_of("vegetable", "meal"),
    "cut": nouns_of("fruit", "vegetable", "sweet"),
    "drink": nouns_of("drink"),
    "wear": nouns_of("garment"),
    "drive": tuple(
        w for w in nouns_of("vehicle") if w not in ("bicycle", "sledge", "boat", "ship")
    ),
    "play": nouns_of("instrument"),
    "read": nouns_of("paper"),
    "hold": _SMALL + _FOOD,
    "carry": _SMALL + _FOOD,
    "find": _SMALL + nouns_of(*ANIMALS, largest=4),
    "buy": _SMALL + _FOOD,
    "sell": _SMALL + _FOOD,
    "wash": nouns_of("garment", "container", "fruit", "vegetable", "vehicle"),
    "paint": nouns_of("furniture", "toy", "vehicle", "container"),
    "fix": nouns_of("vehicle", "furniture", "toy", "instrument"),
    "push": nouns_of("vehicle", "furniture"),
    "feed": nouns_of("beast", "bird", "fish"),
    "watch": nouns_of(*ANIMALS) + nouns_of("vehicle"),
    "follow": nouns_of("beast", "bird") + nouns_of("man", "woman", "child"),
    "draw": nouns_of(*ANIMALS) + nouns_of(*FOODS) + nouns_of("vehicle"),
    "hide": _SMALL,
}
DEEDS_OF_ANIMALS = {
    "follow": nouns_of("beast", "bird") + nouns_of(*PEOPLE),
    "watch": nouns_of("beast", "bird", "insect", "fish") + nouns_of(*PEOPLE),
    "eat": _FOOD,
}
# states that exclude each other, done by people or beasts
POSTURES = split_words("sleep run sit swim stand jump sing dance rest talk wait climb")
ANIMAL_POSTURES = split_words("sleep run sit swim stand jump rest wait climb")

# what one does with a tool: tool → deed
USES = {
    "hammer": "hit a nail", "saw": "cut a plank", "axe": "chop wood", "spade": "dig a hole",
    "needle": "sew a dress", "broom": "sweep the floor", "spoon": "eat soup",
    "knife": "cut bread", "brush": "paint a wall", "ladder": "reach the roof",
    "rope": "tie a boat", "pencil": "write a letter", "rake": "gather leaves",
    "key": "open a door", "lamp": "light a room", "towel": "dry the hands",
    "comb": "tidy the hair", "fork": "eat pasta", "bucket": "fetch water",
    "cup": "drink tea", "oven": "bake bread", "pot": "cook soup", "bag": "carry books",
    "bed": "sleep at night", "chair": "sit at the table", "boat": "cross the river",
    "flute": "make music", "map": "find the way", "kite": "play in the wind",
    "bell": "call the people", "net": "catch fish", "boot": "walk in the mud",
}  # fmt: skip
BODY_PART_OF_GARMENT = {
    "hat": "head", "cap": "head", "glove": "hand", "boot": "foot", "shoe": "foot",
    "sock": "foot", "scarf": "neck", "belt": "waist",
}  # fmt: skip
WEATHER_OF_GARMENT = {
    "coat": "cold", "scarf": "cold", "glove": "cold", "sock": "cold", "boot": "wet",
    "hat": "sunny", "jacket": "windy",
}  # fmt: skip
WEATHER_CLASH = {"cold": "hot", "wet": "dry", "sunny": "rainy", "windy": "hot"}
ABLE = {
    "fly": split_words("robin crow owl duck goose eagle gull bee fly butterfly"),
    "swim": split_words("trout salmon shark carp whale seal duck goose"),
    "gallop": ["horse", "camel"],
    "bark": ["dog"],
    "purr": ["cat"],
    "sing a song": ["robin"],
}  # fmt: skip
UNABLE = {
    "fly": split_words("cow pig dog horse trout mouse bear elephant sheep rabbit ant fox"),
    "swim": split_words("hen bee ant fly robin butterfly eagle"),
    "gallop": split_words("trout ant hen carp bee owl whale"),
    "bark": split_words("cow hen trout bee cat horse"),
    "purr": split_words("trout hen ant cow crow shark"),
    "sing a song": split_words("trout ant shark carp beetle"),
}
# things → how they are, and how they are not
QUALITIES = {
    "ice": ("cold", "hot"), "fire": ("hot", "cold"), "honey": ("sweet", "sour"),
    "lemon": ("sour", "sweet"), "stone": ("hard", "soft"), "pillow": ("soft", "hard"),
    "feather": ("light", "heavy"), "rock": ("heavy", "light"), "water": ("wet", "dry"),
    "sand": ("dry", "wet"), "snow": ("white", "black"), "grass": ("green", "purple"),
    "coal": ("black", "white"), "blood": ("red", "green"), "sugar": ("sweet", "sour"),
    "night": ("dark", "bright"), "thunder": ("loud", "quiet"), "milk": ("white", "blue"),
    "iron": ("hard", "soft"), "wool": ("soft", "hard"), "steam": ("hot", "cold"),
    "sun": ("bright", "dark"), "salt": ("white", "red"), "cherry": ("red", "blue"),
    "banana": ("yellow", "blue"), "carrot": ("orange", "blue"), "elephant": ("heavy", "light"),
    "snail": ("slow", "fast"), "whisper": ("quiet", "loud"),
}  # fmt: skip
MASS_QUALITIES = frozenset(
    split_words(
        "ice fire honey water sand snow grass coal blood sugar thunder milk iron wool steam salt"
    )
)
UNIQUE = frozenset(("night", "sun"))
