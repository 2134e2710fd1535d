"""The wording of the scripted stand-in: a state and what is to be done -> the utterance, from the
phrase banks.

A sentence that was said before in the same dialogue is not said again while there is another.
Customers talk as their mood has it: fillers, asides, haste, a typo now and then.
"""

from collections.abc import Mapping, Sequence

from builders.scripted.phrases import draw, fill, join, pick, soften
from builders.scripted.turns import DESCRIPTIONS, State, content, situation

# Customer acts that come with a word on the supporter's turn before them, by the supporter's
# strategy.
REACTIONS = {"RP": "confirm", "ID": "understood", "EM": "calmed_ask", "Others": "back"}
REACTING = ("why", "how", "do", "beg", "alt", "how_long", "where", "works", "accept")
ASKING = ("why", "how", "do", "beg", "rather", "how_long", "alt")


def customer_text(state: State, act: str) -> str:
    """What the customer says when they do `act`."""
    rng, scenario, problem = _rng(state), state.scenario, state.scenario.problem
    phrases, slots, mood = (
        scenario.phrases.generic["customer"],
        scenario.voice("customer"),
        scenario.mood,
    )

    def one(items: Sequence[str]) -> str:
        return _fresh(rng, items, slots, state, "customer")

    def both(lead: str, template: str) -> str:
        return join(
            scenario.language,
            fill(lead, slots),
            fill(_after(scenario.language, lead, template), slots),
        )

    if act in DESCRIPTIONS:
        template = one(problem["vague" if act.endswith("vague") else "full"])
        if act.startswith("upset"):
            lead = one(phrases["upset_lead"][mood])
        elif state.strategy == "EM":
            lead = one(phrases["calmed"])
        else:
            lead = one(phrases["describe_lead"][mood] if state.turns else phrases["open_lead"])
        text = both(lead, template)
    elif act in ("detail", "details"):
        asked = state.missing if act == "details" else state.missing[:1]
        first, *others = (pick(rng, problem["ask"][name]["a"]) for name in asked)
        text = _sentences(
            scenario.language,
            [both(one(phrases["detail_lead"]), first), *(fill(other, slots) for other in others)],
        )
    elif act == "identity":
        text = one(phrases["identity"][problem["identity"]])
        if state.wants in ("do", "beg") and rng.random() < 0.3:
            text = _sentences(scenario.language, [fill(text, slots), pick(rng, phrases["go_on"])])
    elif act == "rather":
        text = both(one(phrases["rather"]), _request(state, "do"))
    elif act == "fails":
        text = both(one(phrases["trying"]), problem["fail"][_variant(state, "step")])
    elif act == "works":
        works = problem["works2"] if "step2" in state.done else problem["works"]
        text = both(
            one(phrases["trying"]),
            works[_variant(state, "step2" if "step2" in state.done else "step")],
        )
    elif act in ("also", "interested"):
        text = both(one(phrases[act]), related(state, act)["ask"])
    elif act == "vent":
        text = one(phrases["vent"][mood])
    elif act == "off_topic":
        text = pick(rng, off_topic(state)["q"])
    elif act == "confirm":
        text = one(phrases["confirm_only"])
    else:
        if act in ("why", "do", "beg") and not (act == "do" and act in state.acts):
            template = _request(state, act)
        else:
            template = one(phrases[{"hello": "open", "do": "anyway"}.get(act, act)])
        lead = ""
        if act == "thanks" and state.strategy == "PS":
            lead = one(phrases["trying"])
        elif act in state.acts and act in ASKING and act not in ("do", "beg"):
            lead = one(phrases["again"])
        elif act in REACTING and state.strategy in REACTIONS and rng.random() < 0.8:
            lead = one(phrases[REACTIONS[state.strategy]])
        elif act in (*ASKING, "accept") and rng.random() < 0.15:
            lead = pick(rng, phrases["filler"])
        text = both(lead, template)
    return _spoken(state, act, fill(text, slots), rng)


def supporter_text(state: State, strategy: str) -> str:
    """What the supporter says with this strategy at this point."""
    rng, scenario, problem = _rng(state), state.scenario, state.scenario.problem
    phrases, slots, kind = (
        scenario.phrases.generic["supporter"],
        scenario.voice("supporter"),
        content(state, strategy),
    )
    brief = scenario.mood == "hurried" and rng.random() < 0.4

    def one(items: Sequence[str]) -> str:
        return _fresh(rng, items, slots, state, "supporter")

    def led(lead: str, template: str) -> str:
        return join(
            scenario.language,
            fill(lead, slots),
            fill(_after(scenario.language, lead, template), slots),
        )

    if strategy == "GT":
        key = "GT"
        if state.turns:
            key = "GT_reply" if state.act == "hello" else "GT_story"
        text = one(phrases[key])
    elif strategy == "IV":
        text = led(one(phrases["IV_lead"]), one(phrases["IV"][problem["identity"]]))
    elif strategy == "PR":
        text = led(one(phrases["PR_lead"]), one(problem["ask"][kind]["q"]))
    elif strategy == "RP":
        lead, body = one(phrases["RP_lead"]), one(problem["restate"])
        text = led(lead, body.removeprefix("您") if lead.endswith("是") else body) + one(
            phrases["RP_tail"]
        )
    elif strategy == "EM":
        text = _sentences(
            scenario.language,
            [fill(one(_comfort(state)), slots), "" if brief else one(_after_comfort(state))],
        )
    elif strategy == "ID":
        if kind == "more":
            body = related(state, situation(state))["more"]
        elif kind == "policy":
            body = problem["policy"][_variant(state, "why")]
        else:
            body = one(problem["limit"] if kind == "limit" else phrases[f"ID_{kind}"])
        leads = {"policy": "ID_lead", "limit": "ID_lead_limit"}.get(kind, "ID_lead_more")
        text = led("" if brief else one(phrases[leads]), body)
    elif strategy == "PS":
        if kind == "documents":
            text = one(phrases["PS_documents"])
        else:
            lead = (
                phrases["PS_again"]
                if ("step" in state.done and kind != "step") or "limit" in state.done
                else phrases["PS_lead"]
            )
            body = (
                one(problem["alternative"])
                if kind == "alternative"
                else problem[kind][_variant(state, kind)]
            )
            text = led(one(lead), body)
    elif strategy == "RI":
        if kind == "start":
            text = one(phrases["RI_start"])
        elif kind == "ticket":
            text = one(phrases["RI_ticket"])
        else:
            text = led(
                one(phrases["RI_checked" if state.act == "identity" else "RI_lead"]),
                problem["act"][_variant(state, "do")],
            )
    elif strategy == "RC":
        text = led(one(phrases["RC_lead"]), related(state, "interested")["offer"])
        text = _sentences(scenario.language, [text, "" if brief else one(phrases["RC_tail"])])
    elif strategy == "AC":
        parts = [one(phrases["AC_short" if scenario.mood == "hurried" else "AC"])]
        if scenario.mood != "hurried":
            parts.append(
                one(
                    [
                        wish
                        for wish in phrases["AC_wish"]
                        if "{title}" not in wish or "{title}" not in parts[0]
                    ]
                )
            )
        text = _sentences(scenario.language, [fill(part, slots) for part in parts])
    elif strategy == "FR":
        text = led(
            one(phrases["FR_lead_good" if state.act in ("seen", "works") else "FR_lead"]),
            one(phrases["FR"]),
        )
    else:
        text = fill(pick(rng, off_topic(state)["a"]), slots)
    text = _closed(scenario.language, fill(text, slots))
    return text[:1].upper() + text[1:]


def related(state: State, act: str) -> Mapping:
    """The related service that is offered (and asked about when interested), or the other one a
    customer brings up by themselves.
    """
    scenario = state.scenario
    services = scenario.phrases.extras[scenario.problem["desk"]]
    first = int(draw(scenario.seed, "related").random() * len(services))
    return services[(first + (act == "also")) % len(services)]


def off_topic(state: State) -> dict:
    """The customer's remark that has nothing to do with the matter, with answers to it."""
    return pick(draw(state.scenario.seed, "off_topic"), state.scenario.phrases.generic["off_topic"])


def _after(language: str, lead: str, template: str) -> str:
    """`template` as it is written after `lead`."""
    return (
        template
        if not lead or lead.rstrip().endswith((".", "!", "?"))
        else soften(language, template)
    )


def _rng(state: State):
    return draw(state.scenario.seed, len(state.turns), "words")


def _variant(state: State, key: str) -> int:
    """Which of two aligned phrases is meant: a question and its answer, a step and what came of it.
    A second `why` is the other one.
    """
    start = int(draw(state.scenario.seed, "variant", key).random() * 2)
    return (start + max(0, state.acts.count(key) - 1)) % 2 if key == "why" else start


def _request(state: State, act: str) -> str:
    """The problem's own words for a request."""
    problem = state.scenario.problem
    if act == "beg":
        return problem.get("beg", problem["do"])[(_variant(state, "beg") + (act in state.acts)) % 2]
    return problem[act][(_variant(state, act) + (act == "why" and act in state.acts)) % 2]


def _fresh(rng, items: Sequence[str], slots, state: State, speaker: str) -> str:
    """One of the phrases, filled, that this speaker has not used yet; any of them when all have
    been.
    """
    spoken = [turn.text.casefold() for turn in state.turns if turn.speaker == speaker]
    filled = [fill(item, slots) for item in items]
    unused = [
        i
        for i, text in enumerate(filled)
        if not text or not any(text.strip(" .。").casefold() in old for old in spoken)
    ]
    return items[pick(rng, unused or range(len(items)))]


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


def _sentences(language: str, parts: Sequence[str]) -> str:
    """Several things said in a row."""
    parts = [part for part in parts if part]
    if language == "zh":
        return "".join(_closed(language, part) for part in parts[:-1]) + parts[-1]
    return join(language, *(f"{_closed(language, part)} " for part in parts)).rstrip()


def _closed(language: str, text: str) -> str:
    """`text` with a mark at its end."""
    text = text.rstrip()
    if text.endswith(tuple("。！？….!?")):
        return text
    return text.rstrip("，,") + ("。" if language == "zh" else ".")


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
        aside = _fresh(rng, phrases["aside"], scenario.slots, state, "customer")
        text = _sentences(language, [text, aside])
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
