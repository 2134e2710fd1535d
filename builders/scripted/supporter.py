"""The wording of the scripted supporter: a state and a strategy -> the utterance."""

from collections.abc import Callable, Sequence

from builders.scripted.phrases import pick
from builders.scripted.turns import State, content, situation
from builders.scripted.words import Speech, closed, off_topic, related, speech, variant


def supporter_text(state: State, strategy: str) -> str:
    """What the supporter says with this strategy at this point."""
    new, mood = speech(state, "supporter"), state.scenario.mood
    kind = content(state, strategy)
    brief = mood == "hurried" and new.rng.random() < 0.4
    text = _SAYING.get(strategy, _off_topic)(new, kind, brief)
    text = closed(state.scenario.language, new.filled(text))
    return text[:1].upper() + text[1:]


def _greeting(new: Speech, kind: str, brief: bool) -> str:
    key = "GT"
    if new.state.turns:
        key = "GT_reply" if new.state.act == "hello" else "GT_story"
    return new.one(new.phrases[key])


def _verification(new: Speech, kind: str, brief: bool) -> str:
    identity = new.state.scenario.problem["identity"]
    return new.led(new.one(new.phrases["IV_lead"]), new.one(new.phrases["IV"][identity]))


def _question(new: Speech, kind: str, brief: bool) -> str:
    questions = new.state.scenario.problem["ask"][kind]["q"]
    return new.led(new.one(new.phrases["PR_lead"]), new.one(questions))


def _restatement(new: Speech, kind: str, brief: bool) -> str:
    lead, body = new.one(new.phrases["RP_lead"]), new.one(new.state.scenario.problem["restate"])
    body = body.removeprefix("您") if lead.endswith("是") else body
    return new.led(lead, body) + new.one(new.phrases["RP_tail"])


def _emotion(new: Speech, kind: str, brief: bool) -> str:
    comfort = new.filled(new.one(_comfort(new.state)))
    return new.sentences([comfort, "" if brief else new.one(_after_comfort(new.state))])


def _information(new: Speech, kind: str, brief: bool) -> str:
    state, problem = new.state, new.state.scenario.problem
    if kind == "more":
        body = related(state, situation(state))["more"]
    elif kind == "policy":
        body = problem["policy"][variant(state, "why")]
    else:
        body = new.one(problem["limit"] if kind == "limit" else new.phrases[f"ID_{kind}"])
    leads = {"policy": "ID_lead", "limit": "ID_lead_limit"}.get(kind, "ID_lead_more")
    return new.led("" if brief else new.one(new.phrases[leads]), body)


def _suggestion(new: Speech, kind: str, brief: bool) -> str:
    state, problem = new.state, new.state.scenario.problem
    if kind == "documents":
        return new.one(new.phrases["PS_documents"])
    again = ("step" in state.done and kind != "step") or "limit" in state.done
    if kind == "alternative":
        body = new.one(problem["alternative"])
    else:
        body = problem[kind][variant(state, kind)]
    return new.led(new.one(new.phrases["PS_again" if again else "PS_lead"]), body)


def _implementation(new: Speech, kind: str, brief: bool) -> str:
    if kind in ("start", "ticket"):
        return new.one(new.phrases[f"RI_{kind}"])
    lead = new.one(new.phrases["RI_checked" if new.state.act == "identity" else "RI_lead"])
    return new.led(lead, new.state.scenario.problem["act"][variant(new.state, "do")])


def _relationship(new: Speech, kind: str, brief: bool) -> str:
    offer = related(new.state, "interested")["offer"]
    text = new.led(new.one(new.phrases["RC_lead"]), offer)
    return new.sentences([text, "" if brief else new.one(new.phrases["RC_tail"])])


def _appreciation(new: Speech, kind: str, brief: bool) -> str:
    hurried = new.state.scenario.mood == "hurried"
    parts = [new.one(new.phrases["AC_short" if hurried else "AC"])]
    if not hurried:
        # The customer is addressed by title once.
        wishes = [
            wish
            for wish in new.phrases["AC_wish"]
            if "{title}" not in wish or "{title}" not in parts[0]
        ]
        parts.append(new.one(wishes))
    return new.sentences([new.filled(part) for part in parts])


def _feedback(new: Speech, kind: str, brief: bool) -> str:
    good = new.state.act in ("seen", "works")
    lead = new.one(new.phrases["FR_lead_good" if good else "FR_lead"])
    return new.led(lead, new.one(new.phrases["FR"]))


def _off_topic(new: Speech, kind: str, brief: bool) -> str:
    return new.filled(pick(new.rng, off_topic(new.state)["a"]))


_SAYING: dict[str, Callable[[Speech, str, bool], str]] = {
    "GT": _greeting,
    "IV": _verification,
    "PR": _question,
    "RP": _restatement,
    "EM": _emotion,
    "ID": _information,
    "PS": _suggestion,
    "RI": _implementation,
    "RC": _relationship,
    "AC": _appreciation,
    "FR": _feedback,
}


def _comfort(state: State) -> Sequence[str]:
    """The phrases that fit what upset the customer."""
    phrases = state.scenario.phrases.generic["supporter"]
    by_act = {
        "vent": "EM_vent",
        "do": "EM_vent",
        "rather": "EM_vent",
        "worry": "EM_worry",
        "how_long": "EM_worry",
        "object": "EM_object",
    }
    by_act |= {
        "policy_vent": "EM_policy",
        "beg": "EM_policy",
        "fails": "EM_fails",
        "fails_again": "EM_fails",
        "lukewarm": "EM_lukewarm",
    }
    if state.act not in by_act or (
        state.scenario.mood == "worried" and by_act[state.act] == "EM_vent"
    ):
        return phrases["EM"][state.scenario.mood]
    return phrases[by_act[state.act]]


def _after_comfort(state: State) -> Sequence[str]:
    """How an emotional reply may go on: towards the story, towards the solution, or to an end;
    nothing where it stands for itself.
    """
    tails = state.scenario.phrases.generic["supporter"]["EM_tail"]
    if state.act in ("upset_vague", "vague"):
        return tails["open"]
    if state.act == "lukewarm":
        return tails["end"]
    if state.act in ("upset_full", "vent", "do", "rather", "why"):
        return tails["act"]
    return [""]
