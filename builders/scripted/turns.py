"""The rules of the scripted stand-in: a dialogue as a State, and who does what next in it.

`customer_act` is what the customer does, `strategies` and `choose_strategy` what the supporter
does, from what the customer just did and the state of the dialogue; `hear` and `say` give the state
after a turn. Every choice has its own source of random numbers, made from the scenario's seed and
the position, so any of them can be made again by itself.
"""

from dataclasses import dataclass, replace

from builders.scripted.phrases import draw
from builders.scripted.plan import Scenario
from csc_tasks.conversation import CUSTOMER, SUPPORTER, Turn

DESCRIPTIONS = ("vague", "full", "upset_vague", "upset_full")
# Acts that ask for something, and the kinds of supporter turn (see `content`) that give it; until
# then the customer asks again.
SERVED_BY = {
    "why": ("policy", "step", "documents"),
    "how": ("step", "step2", "alternative", "documents"),
    "alt": ("step", "step2", "alternative", "documents"),
    "do": ("acted", "ticket"),
    "beg": ("limit",),
    "how_long": ("eta",),
    "where": ("where",),
    "also": ("more",),
    "interested": ("more",),
}
ASKS_FOR = {"rather": "do", "fails": "alt", "fails_again": "do"} | {act: act for act in SERVED_BY}


@dataclass(frozen=True, slots=True)
class State:
    """Everything that has happened in a dialogue so far.

    `acts` are the customer's acts in order, `told` the details the customer has given, `agenda`
    what they still mean to do, `wants` an open request, `done` the kinds of supporter turns so far
    (see `content`) and "verified".
    """

    scenario: Scenario
    turns: tuple[Turn, ...] = ()
    acts: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    agenda: tuple[str, ...] = ()
    wants: str = ""
    done: tuple[str, ...] = ()

    @property
    def act(self) -> str:
        """The customer's last act."""
        return self.acts[-1] if self.acts else ""

    @property
    def strategy(self) -> str:
        """The supporter's last strategy."""
        return next(
            (turn.strategy for turn in reversed(self.turns) if turn.speaker == SUPPORTER), ""
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """The details of the problem that the customer has not given yet."""
        return tuple(name for name in self.scenario.problem["ask"] if name not in self.told)

    @property
    def unverified(self) -> bool:
        """Whether an identity check is due before anything is done."""
        return self.scenario.problem["identity"] != "none" and "verified" not in self.done

    @property
    def described(self) -> bool:
        return any(act in DESCRIPTIONS for act in self.acts)

    def chance(self, what: str, probability: float) -> bool:
        """Whether something happens at this point: drawn from the seed, the position and what it is
        about.
        """
        return draw(self.scenario.seed, len(self.turns), what).random() < probability


def begin(scenario: Scenario) -> State:
    """The state before the first turn."""
    return State(scenario, agenda=scenario.agenda)


def supporter_speaks(state: State) -> bool:
    """Whether the next turn is the supporter's: after a customer's turn, at a call they open, and
    sometimes twice in a row.
    """
    scenario = state.scenario
    if not state.turns:
        return scenario.opens == "supporter"
    if state.turns[-1].speaker == CUSTOMER:
        return state.act != "bye"
    if len(state.turns) > 1 and state.turns[-2].speaker == SUPPORTER:
        return False
    if state.strategy == "GT":
        return state.described
    if not scenario.doubles:
        return False
    if state.strategy == "RI":
        return state.done[-1] == "start"
    more_to_say = {
        "EM": state.act in ("upset_full", "upset_vague"),
        "ID": state.act == "why" and "step" not in state.done,
    }
    return more_to_say.get(state.strategy, False) and state.chance("again", 0.5)


def customer_act(state: State) -> str:
    """What the customer does next; "" when they have nothing to add and the dialogue is over."""
    scenario, last = state.scenario, state.strategy
    if not state.turns:
        return "hello" if scenario.opens == "hello" else scenario.first
    if "closed" in state.done:
        return "bye" if state.act != "bye" and state.chance("bye", 0.3) else ""
    if not state.described:
        return scenario.first
    if last == "PR" and state.missing:
        return "details" if len(state.missing) > 1 and state.chance("details", 0.45) else "detail"
    if last == "IV":
        return "object" if scenario.objects and "object" not in state.acts else "identity"
    if state.act == "object":
        return "identity"
    if last == "EM" and state.agenda[:1] == ("vent",):
        return "vent"
    if state.missing:
        return "full"
    if last == "RC":
        likely = {"chatty": 0.45, "hurried": 0.0}.get(scenario.mood, 0.2)
        return (
            "interested"
            if "interested" not in state.acts and state.chance("interested", likely)
            else _last_words(state)
        )
    if last == "FR":
        happy = {"escalated": 0.6, "refused": 0.4}.get(scenario.outcome, 0.85) - (
            0.15 if scenario.mood == "angry" else 0
        )
        if not state.chance("happy", happy):
            return "lukewarm"
        thanks = 0.7 if scenario.mood == "hurried" else 0.25
        return "thanks" if state.chance("thanks", thanks) else "satisfied"
    if state.done[-1] == "start":
        return "wait"
    if state.wants:
        return "alt" if state.wants == "how" and "step" in state.done else state.wants
    if last == "RP" and state.chance("confirm", 0.15):
        return "confirm"
    return _last_words(state)


def _last_words(state: State) -> str:
    """The next thing on the agenda that still makes sense, or a closing remark."""
    if "feedback" in state.done or "offered" in state.done:
        return "also" if "also" in state.agenda and "also" not in state.acts else "no_more"
    for act in state.agenda:
        if act != "also" and not _settled(state, act):
            return act
    return "no_more"


def _settled(state: State, act: str) -> bool:
    """Whether something on the agenda has been dealt with before the customer came to it."""
    if act == "how_long":
        return state.scenario.slots["eta"] in state.turns[-1].text
    by = {"why": ("policy",), "how": SERVED_BY["how"], "alt": ("alternative",)}
    return any(kind in state.done for kind in by.get(act, ()))


def hear(state: State, act: str, text: str) -> State:
    """The state after the customer did `act` with these words."""
    told, done = state.told, state.done
    if act in ("full", "upset_full", "details"):
        told = tuple(state.scenario.problem["ask"])
    elif act == "detail":
        told += (state.missing[0],)
    elif act == "identity":
        done += ("verified",)
    agenda = state.agenda
    if act in agenda:
        agenda = agenda[agenda.index(act) + 1 :]
    return replace(
        state,
        turns=(*state.turns, Turn(CUSTOMER, text)),
        acts=(*state.acts, act),
        told=told,
        agenda=agenda,
        wants=ASKS_FOR.get(act, state.wants),
        done=done,
    )


def situation(state: State) -> str:
    """The act that the supporter now answers: the last one, or what stands behind an identity check
    or a supporter's own turn.
    """
    act, scenario = state.act, state.scenario
    if state.turns and state.turns[-1].speaker == SUPPORTER:
        behind = {"upset_full": "full", "upset_vague": "vague"}
        return {"GT": act, "EM": behind.get(act, act), "RI": "wait", "ID": "how"}[state.strategy]
    if act == "identity":
        if state.missing:
            return "vague" if not state.told else "detail"
        return state.wants or ("confirm" if "restated" in state.done else "full")
    if act in ("rather", "fails_again"):
        return "do"
    if act == "how" and scenario.outcome == "refused" and "limit" in state.done:
        return "alt"
    return act


def strategies(state: State) -> tuple[str, str, float]:
    """The strategy that fits what the customer just did, another sensible one ("" for none), and
    the probability of that other one.
    """
    scenario, act, mood = state.scenario, situation(state), state.scenario.mood
    check = "IV" if state.unverified else ""
    upset = mood in ("angry", "worried")
    if act in ("", "hello") or not any(turn.speaker == SUPPORTER for turn in state.turns):
        return "GT", "", 0
    if act in ("upset_full", "upset_vague"):
        return "EM", "RP" if act == "upset_full" else "PR", 0.15
    if act == "vague":
        return "PR", check or ("EM" if mood == "worried" else ""), 0.14
    if act in ("full", "details") or (act == "detail" and not state.missing):
        return "RP", check or ("ID" if "policy" not in state.done else ""), 0.18
    if act == "detail":
        return "PR", check, 0.1
    if act == "confirm":
        if check and scenario.outcome in ("solved", "escalated"):
            return check, "ID", 0.3
        return ("PS", "", 0) if "policy" in state.done else ("ID", "PS", 0.3)
    if act == "do":
        return (check, "", 0) if check else ("RI", "EM" if upset else "", 0.15)
    if act == "beg":
        return (check, "", 0) if check else ("ID", "EM", 0.12)
    if act in ("seen", "noted", "works", "accept"):
        return "FR", "AC" if mood == "hurried" else "RC", 0.3 if mood == "hurried" else 0.22
    if act == "satisfied" or act == "decline":
        if "offered" in state.done:
            return "AC", "", 0
        return "RC", "AC", 0.2
    if act == "worry":
        return "EM", "ID" if _reassurance(state) else "", 0.2
    simple = {
        "why": ("ID", "EM" if upset else "", 0.15),
        "how": ("PS", "ID" if "policy" not in state.done else "", 0.15),
        "alt": ("PS", "", 0),
        "vent": ("EM", "" if state.missing else "PS", 0.1),
        "policy_vent": ("EM", "PS", 0.18),
        "fails": ("PS", "EM", 0.18),
        "object": ("ID", "EM", 0.25),
        "how_long": ("ID", "EM" if upset else "", 0.12),
        "lukewarm": ("EM", "" if "offered" in state.done else "RC", 0.18),
        "wait": ("RI", "", 0),
        "where": ("ID", "", 0),
        "also": ("ID", "", 0),
        "interested": ("ID", "", 0),
        "off_topic": ("Others", "", 0),
        "thanks": ("AC", "RC" if "offered" not in state.done else "", 0.18),
        "no_more": ("AC", "", 0),
    }
    return simple[act]


def _reassurance(state: State) -> str:
    """What information could answer a worry, if any is left to give."""
    if "acted" in state.done or "ticket" in state.done:
        return "" if "eta" in state.done else "eta"
    return "" if "policy" in state.done else "policy"


def choose_strategy(state: State) -> str:
    """The supporter's next strategy: the fitting one, now and then the other (but no such comfort
    right after comfort).
    """
    fitting, other, probability = strategies(state)
    twice = other == state.strategy == "EM"
    return other if other and not twice and state.chance("strategy", probability) else fitting


def content(state: State, strategy: str) -> str:
    """What a supporter turn of this strategy is about at this point: a kind of information,
    suggestion or action, or a missing detail.
    """
    scenario, act, done = state.scenario, situation(state), state.done
    if strategy == "PR":
        return state.missing[0]
    if strategy == "ID":
        kinds = {
            "object": "object",
            "how_long": "eta",
            "where": "where",
            "also": "more",
            "interested": "more",
            "beg": "limit",
        }
        return kinds.get(act) or (_reassurance(state) if act == "worry" else "policy")
    if strategy == "PS":
        if scenario.outcome == "documents" and "documents" not in done:
            return "documents"
        if scenario.outcome == "refused" and "limit" in done:
            return "alternative"
        return "step2" if "step" in done and "step2" in scenario.problem else "step"
    if strategy == "RI":
        if "start" not in done and state.chance("start", 0.25):
            return "start"
        return "ticket" if scenario.outcome == "escalated" else "acted"
    kinds = {
        "GT": "greeted",
        "IV": "check",
        "RP": "restated",
        "EM": "soothed",
        "FR": "feedback",
        "RC": "offered",
        "AC": "closed",
    }
    return kinds.get(strategy, "other")


def say(state: State, strategy: str, text: str) -> State:
    """The state after the supporter used `strategy` with these words."""
    kind = content(state, strategy)
    served = kind in SERVED_BY.get(state.wants, ())
    return replace(
        state,
        turns=(*state.turns, Turn(SUPPORTER, text, strategy)),
        wants="" if served else state.wants,
        done=(*state.done, kind),
    )
