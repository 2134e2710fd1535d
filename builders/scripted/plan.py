"""The planner of the scripted stand-in: a seed -> who the customer is, what happened, how it will
end and what the customer means to say.

A Scenario is all that the other parts need: `builders.scripted.player` decides who does what next,
`builders.scripted.words` says it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from builders.scripted.phrases import (
    Bank,
    bank,
    draw,
    fill,
    jobs_at,
    pick,
    slot_values,
    voiced,
    weighted,
)
from csc_tasks.languages.labels import topic_label

MOODS = {"calm": 0.28, "worried": 0.22, "angry": 0.22, "hurried": 0.14, "chatty": 0.14}
# How likely a customer in this mood starts out upset rather than with a plain description.
UPSET = {"calm": 0.1, "worried": 0.7, "angry": 0.85, "hurried": 0.35, "chatty": 0.3}
OUTCOMES = {
    "solved": 0.26,
    "self_help": 0.2,
    "second_try": 0.2,
    "escalated": 0.22,
    "refused": 0.2,
    "documents": 0.14,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One planned conversation.

    `seed` makes every later choice repeatable. `slots` are the facts as the customer says them.
    `agenda` is what the customer means to do after describing the problem, in order. `opens` is who
    starts and how: supporter, hello (the customer greets) or story (the customer comes with the
    problem). `first` is how the problem is described: full, vague, upset_full or upset_vague.
    `doubles`: the supporter sometimes speaks twice in a row. `objects`: the customer is wary of an
    identity check. `profile`, `situation` and `goal` are the texts of a role-played corpus.
    """

    seed: str
    language: str
    problem_id: str
    topic: str
    mood: str
    outcome: str
    opens: str
    first: str
    agenda: tuple[str, ...]
    doubles: bool
    objects: bool
    slots: Mapping[str, str]
    profile: str
    situation: str
    goal: str

    @property
    def phrases(self) -> Bank:
        return bank(self.language)

    @property
    def problem(self) -> Mapping:
        return self.phrases.problems[self.problem_id]

    def voice(self, voice: str) -> dict[str, str]:
        """The slots as customer, supporter or summary says them."""
        return {name: voiced(self.language, value, voice) for name, value in self.slots.items()}


@lru_cache(maxsize=1024)
def plan(seed: str, language: str, problem_id: str) -> Scenario:
    """The scenario of this seed: always the same one for the same arguments."""
    phrases = bank(language)
    problem = phrases.problems[problem_id]
    rng = draw(seed, "plan")
    upset = problem.get("upset", True)
    moods = {mood: weight for mood, weight in MOODS.items() if mood != "angry" or upset is True}
    mood = weighted(
        rng, {"calm": 0.5, "hurried": 0.25, "chatty": 0.25} if upset is False else moods
    )
    outcome = weighted(
        rng, {name: weight for name, weight in OUTCOMES.items() if _possible(name, problem)}
    )
    may_be_upset = upset is True or (upset == "worried" and mood in ("worried", "hurried"))
    is_upset = may_be_upset and rng.random() < UPSET[mood]
    first = weighted(rng, {"vague": 0.45, "full": 0.55})
    slots = _slots(phrases, problem, draw(seed, "slots"))
    slots |= {"temper": phrases.generic["moods"][mood]}
    told = {name: voiced(language, text, "summary") for name, text in slots.items()}
    words = draw(seed, "role")
    return Scenario(
        seed=seed,
        language=language,
        problem_id=problem_id,
        topic=problem["topic"],
        mood=mood,
        outcome=outcome,
        opens=weighted(rng, {"supporter": 0.72, "hello": 0.16, "story": 0.12}),
        first=f"upset_{first}" if is_upset else first,
        agenda=tuple(_agenda(problem, outcome, mood, is_upset, rng)),
        doubles=rng.random() < 0.14,
        objects=rng.random() < (0.25 if mood in ("worried", "angry") else 0.08),
        slots=slots,
        profile=fill(pick(words, phrases.generic["profile"]), slots),
        situation=fill(pick(words, phrases.generic["scenario"]), told),
        goal=fill(pick(words, phrases.generic["aim"][outcome]), told),
    )


def _possible(outcome: str, problem: Mapping) -> bool:
    needs = {
        "self_help": "works",
        "second_try": "works2",
        "refused": "limit",
        "documents": "documents",
    }
    return (
        problem.get("escalates", True)
        if outcome == "escalated"
        else outcome not in needs or needs[outcome] in problem
    )


def _slots(phrases: Bank, problem: Mapping, rng) -> dict[str, str]:
    """The problem's facts and those that every conversation has; people, numbers and places are
    evidently made up.
    """
    generic, zh = phrases.generic, phrases.language == "zh"

    def digits(count: int) -> str:
        return "".join(str(int(rng.random() * 10)) for _ in range(count))

    youngest, oldest = problem.get("customer_age", (20, 69))
    surname, age = (
        pick(rng, generic["lists"]["surname"]),
        youngest + int(rng.random() * (oldest - youngest + 1)),
    )
    slots = {
        "surname": surname,
        "title": pick(rng, tuple(generic["honorific"].values())).format(surname=surname),
        "years_old": str(age),
        "job": pick(rng, generic["lists"][jobs_at(age)]),
        "city": pick(rng, generic["lists"]["city"]),
        "branch": pick(rng, generic["lists"]["branch"]),
        "agent": digits(4) if zh else pick(rng, generic["lists"]["agent"]),
        "desk": generic["desks"][problem["desk"]],
        "topic": (
            topic_label(problem["topic"], phrases.language)
            if zh
            else problem["topic"].lower().replace("others", "general matters")
        ),
        "hello": generic["supporter"]["hello"][pick(rng, tuple(generic["supporter"]["hello"]))],
        "wish": pick(rng, generic["supporter"]["wish"]),
        "tail": "00" + digits(2),
        "phone": (f"1{pick(rng, '3578')}{digits(1)}****00" if zh else "555-01") + digits(2),
        "order": "DD" + digits(6),
        "ticket": ("GD" if zh else "T-") + digits(6),
    }
    slots |= slot_values(problem["slots"], phrases, rng)
    slots |= {name: problem[name] for name in ("eta", "team", "issue", "goal")} | {
        "documents": problem.get("documents", "")
    }
    return slots | {name: fill(slots[name], slots) for name in ("issue", "goal")}


def _agenda(problem: Mapping, outcome: str, mood: str, is_upset: bool, rng) -> list[str]:
    """What the customer means to do, as acts of `builders.scripted.player`: the way to this
    outcome, with what the mood adds.
    """
    asks_why = 0.3 if mood == "hurried" else 0.46
    agenda = ["why"] if rng.random() < asks_why else []
    if outcome == "solved":
        agenda += ["how", "rather"] if rng.random() < 0.3 else ["do"]
        agenda += ["seen"]
    elif outcome == "self_help":
        agenda += ["how", "works"]
    elif outcome == "second_try":
        agenda += ["how", "fails", "works"]
    elif outcome == "escalated":
        agenda += (
            ["how", "fails", "fails_again"] if "fail" in problem and rng.random() < 0.4 else ["do"]
        )
        agenda += ["noted"]
    elif outcome == "refused":
        agenda += ["beg"]
        agenda += ["policy_vent"] if mood == "angry" or rng.random() < 0.5 else []
        agenda += ["alt", "decline" if rng.random() < 0.2 else "accept"]
    else:
        agenda += ["how"] + (["where"] if rng.random() < 0.6 else []) + ["accept"]
    if outcome == "escalated" and rng.random() < 0.6:
        agenda.insert(-1, "how_long")
    if problem.get("upset", True) and rng.random() < (0.5 if mood == "worried" else 0.05):
        agenda.insert(-1 if outcome in ("solved", "escalated", "documents") else 0, "worry")
    if is_upset and mood in ("angry", "worried", "chatty") and rng.random() < 0.4:
        agenda.insert(0, "vent")
    if rng.random() < {"chatty": 0.7, "hurried": 0.02}.get(mood, 0.13):
        places = [
            i
            for i, act in enumerate(agenda)
            if act in ("why", "how", "do", "beg", "where", "how_long", "accept", "noted", "seen")
        ]
        agenda.insert(pick(rng, places), "off_topic")
    if outcome not in ("escalated", "refused") and rng.random() < (
        0.5 if mood == "hurried" else 0.28
    ):
        agenda[-1] = "thanks"
    if rng.random() < {"chatty": 0.35, "hurried": 0.03}.get(mood, 0.12):
        agenda += ["also"]
    return agenda
