"""What the scripted stand-in writes about a dialogue: a summary by rule from its state, and a politer, fuller version of a reply."""

import re

from builders.scripted.phrases import draw, fill, join, pick
from builders.scripted.plan import Scenario
from builders.scripted.turns import State


def summary(state: State) -> str:
    """The dialogue up to this state in a few sentences: the issue, what was given, explained, tried and promised, and the mood."""
    scenario, done = state.scenario, state.done
    problem, wording, slots = scenario.problem, scenario.phrases.generic["summary"], scenario.voice("summary")
    parts = []

    def note(key: str, **more: str) -> None:
        text = wording[key] if isinstance(wording[key], str) else pick(draw(scenario.seed, "summary"), wording[key])
        parts.append(fill(text, slots | more))

    if not state.described:
        note("start")
    elif not state.told and "restated" not in done:
        note("vague")
    else:
        details = [fill(problem["ask"][name]["f"], slots) for name in state.told]
        note("issue")
        note("told", details=("；" if scenario.language == "zh" else "; ").join(details))
    if any(act.startswith("upset") or act.endswith("vent") for act in state.acts) and "soothed" in done:
        note("worried" if scenario.mood == "worried" else "upset")
    elif "worry" in state.acts:
        note("worried")
    if "object" in state.acts:
        note("objected")
    if "verified" in done:
        note("verified")
    if "policy" in done:
        note("explained", gist=problem["gist"])
    for kind, failed in (("step", "fails" in state.acts), ("step2", "fails_again" in state.acts)):
        if kind in done:
            note("suggested", gist=problem[f"{kind}_gist"])
            if failed:
                note("failed")
    if "works" in state.acts or ("thanks" in state.acts and scenario.outcome in ("self_help", "second_try")):
        note("worked")
    if "documents" in done:
        note("documents")
    if "limit" in done:
        note("limit")
    if "alternative" in done:
        note("suggested", gist=problem["alternative_gist"])
    if "acted" in done:
        note("acted", gist=problem["act_gist"])
    if "ticket" in done:
        note("ticket")
    for key, kind in (("feedback", "feedback"), ("offered", "offered")):
        if kind in done:
            note(key)
    return join(scenario.language, *(part if scenario.language == "zh" else f"{part} " for part in parts)).strip()


def refined(scenario: Scenario, strategy: str, text: str, position: int) -> str:
    """`text` as a politer, fuller reply that keeps every fact: an opening and a closing that suit the strategy, plain words replaced."""
    wording, rng = scenario.phrases.generic["refine"], draw(scenario.seed, position, "refine")
    for plain, polite in wording["swap"]:
        before = r"(?<!\w)" if scenario.language == "en" and plain[0].isalpha() else ""
        text = re.sub(before + re.escape(plain), lambda _, polite=polite: polite, text)
    parts = [pick(rng, wording["lead"][strategy]), text, pick(rng, wording["tail"][strategy])]
    return join(scenario.language, *(part if scenario.language == "zh" else f"{part} " for part in parts)).strip()
