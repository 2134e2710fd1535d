"""The wording of the scripted customer: a state and what is to be done -> the utterance.

Customers talk as their mood has it: fillers, asides, haste, a typo now and then.
"""

from collections.abc import Callable

from builders.scripted.phrases import pick, soften
from builders.scripted.turns import DESCRIPTIONS, State
from builders.scripted.words import (
    Speech,
    fresh,
    off_topic,
    related,
    sentences,
    speech,
    variant,
)

# Customer acts that come with a word on the supporter's turn before them, by the supporter's
# strategy.
REACTIONS = {"RP": "confirm", "ID": "understood", "EM": "calmed_ask", "Others": "back"}
REACTING = ("why", "how", "do", "beg", "alt", "how_long", "where", "works", "accept")
ASKING = ("why", "how", "do", "beg", "rather", "how_long", "alt")


def customer_text(state: State, act: str) -> str:
    """What the customer says when they do `act`."""
    new = speech(state, "customer")
    if act in DESCRIPTIONS:
        text = _description(new, act)
    else:
        text = _SAYING.get(act, _anything_else)(new, act)
    return _spoken(state, act, new.filled(text), new.rng)


def _description(new: Speech, act: str) -> str:
    state, phrases, mood = new.state, new.phrases, new.state.scenario.mood
    template = new.one(state.scenario.problem["vague" if act.endswith("vague") else "full"])
    if act.startswith("upset"):
        lead = new.one(phrases["upset_lead"][mood])
    elif state.strategy == "EM":
        lead = new.one(phrases["calmed"])
    else:
        lead = new.one(phrases["describe_lead"][mood] if state.turns else phrases["open_lead"])
    return new.led(lead, template)


def _details(new: Speech, act: str) -> str:
    """The answer to what was asked for: one thing, or all that is still missing."""
    state = new.state
    asked = state.missing if act == "details" else state.missing[:1]
    questions = state.scenario.problem["ask"]
    first, *others = (pick(new.rng, questions[name]["a"]) for name in asked)
    return new.sentences(
        [
            new.led(new.one(new.phrases["detail_lead"]), first),
            *(new.filled(other) for other in others),
        ]
    )


def _identity(new: Speech, act: str) -> str:
    text = new.one(new.phrases["identity"][new.state.scenario.problem["identity"]])
    if new.state.wants in ("do", "beg") and new.rng.random() < 0.3:
        text = new.sentences([new.filled(text), pick(new.rng, new.phrases["go_on"])])
    return text


def _rather(new: Speech, act: str) -> str:
    return new.led(new.one(new.phrases["rather"]), _request(new.state, "do"))


def _fails(new: Speech, act: str) -> str:
    failures = new.state.scenario.problem["fail"]
    return new.led(new.one(new.phrases["trying"]), failures[variant(new.state, "step")])


def _works(new: Speech, act: str) -> str:
    step, key = ("step2", "works2") if "step2" in new.state.done else ("step", "works")
    successes = new.state.scenario.problem[key]
    return new.led(new.one(new.phrases["trying"]), successes[variant(new.state, step)])


def _about_related(new: Speech, act: str) -> str:
    return new.led(new.one(new.phrases[act]), related(new.state, act)["ask"])


def _vent(new: Speech, act: str) -> str:
    return new.one(new.phrases["vent"][new.state.scenario.mood])


def _off_topic(new: Speech, act: str) -> str:
    return pick(new.rng, off_topic(new.state)["q"])


def _confirm(new: Speech, act: str) -> str:
    return new.one(new.phrases["confirm_only"])


def _anything_else(new: Speech, act: str) -> str:
    """A request in the problem's own words or a general phrase, perhaps after a word on the turn
    before.
    """
    state, phrases, rng = new.state, new.phrases, new.rng
    if act in ("why", "do", "beg") and not (act == "do" and act in state.acts):
        template = _request(state, act)
    else:
        template = new.one(phrases[{"hello": "open", "do": "anyway"}.get(act, act)])
    lead = ""
    if act == "thanks" and state.strategy == "PS":
        lead = new.one(phrases["trying"])
    elif act in state.acts and act in ASKING and act not in ("do", "beg"):
        lead = new.one(phrases["again"])
    elif act in REACTING and state.strategy in REACTIONS and rng.random() < 0.8:
        lead = new.one(phrases[REACTIONS[state.strategy]])
    elif act in (*ASKING, "accept") and rng.random() < 0.15:
        lead = pick(rng, phrases["filler"])
    return new.led(lead, template)


_SAYING: dict[str, Callable[[Speech, str], str]] = {
    "detail": _details,
    "details": _details,
    "identity": _identity,
    "rather": _rather,
    "fails": _fails,
    "works": _works,
    "also": _about_related,
    "interested": _about_related,
    "vent": _vent,
    "off_topic": _off_topic,
    "confirm": _confirm,
}


def _request(state: State, act: str) -> str:
    """The problem's own words for a request."""
    problem = state.scenario.problem
    if act == "beg":
        return problem.get("beg", problem["do"])[(variant(state, "beg") + (act in state.acts)) % 2]
    return problem[act][(variant(state, act) + (act == "why" and act in state.acts)) % 2]


def _spoken(state: State, act: str, text: str, rng) -> str:
    """The utterance as this customer says it: in haste, with an aside or a typo."""
    scenario = state.scenario
    language, mood, phrases = scenario.language, scenario.mood, scenario.phrases.generic["customer"]
    zh = language == "zh"
    roll = rng.random()
    if mood == "hurried" and act in ASKING and roll < 0.3:
        text = text.rstrip("。？！?!. ") + pick(rng, phrases["hurry_tail"]) + ("" if zh else ".")
    elif (
        mood == "chatty" and act in (*ASKING, "detail", "seen", "accept", "confirm") and roll < 0.25
    ):
        aside = fresh(rng, phrases["aside"], scenario.slots, state, "customer")
        text = sentences(language, [text, aside])
    if rng.random() < 0.08:
        options = [(right, wrong) for right, wrong in phrases["typos"] if right in text]
        if options:
            right, wrong = pick(rng, options)
            text = text.replace(right, wrong, 1)
    if not zh and mood == "hurried" and rng.random() < 0.3:
        text = soften(language, text).rstrip(".")
    text = text.strip()
    if zh or mood == "hurried":
        return text
    return text[:1].upper() + text[1:]
