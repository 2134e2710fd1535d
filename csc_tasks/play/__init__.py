"""Plays conversations through an lm_eval model: reference context, generated context, live ones
with a customer who is played (live.py), questions and strategy choice.

The tasks send requests of two types of their own, `csc_generate` and `csc_choose`; importing this
package gives lm_eval's `LM` and
`CachingLM` a method for each. Prompts, what is dropped where one would not fit, and the replies
that re-enter are the same for every backend (renderer.py, chains.py). How the model is asked
differs:

- lm_eval's HF backend, where the model allows it (eligible.py): in lockstep, its key-value cache
  kept between turns (lockstep.py, rows.py);
- deployed agents (agent/): told what was said and nothing else, in sessions of their own;
- API backends: as many conversations at once as they have connections, a request that fails being
  one failed turn (concurrent.py);
- all else, and everything with `csc_play=plain`: through the backend's own `generate_until` and
  `loglikelihood` (plain.py).

Each request remembers which way it was (way.py), for the warning and the results file.
"""

import logging
from collections.abc import Sequence
from typing import NoReturn

from lm_eval.api.model import LM, CachingLM
from tqdm import tqdm

from csc_tasks.compat.lm_eval import SteadyBatchSize
from csc_tasks.play import (
    api,
    cache,
    concurrent,
    eligible,
    live,
    lockstep,
    plain,
    structured,
    thoughts,
)
from csc_tasks.play.agent import AGENT
from csc_tasks.play.agent.model import described
from csc_tasks.play.agent.playing import AGENTS_REPLIES, as_spoken
from csc_tasks.play.cache import check_cache
from csc_tasks.play.chains import Answered, conversations, in_order
from csc_tasks.play.failures import Tally
from csc_tasks.play.forced import check_forced
from csc_tasks.play.linears import packed
from csc_tasks.play.played import Choice, LivePlayed, Played
from csc_tasks.play.ranks import length, share
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.repeats import check_sampled, own_seed, seed_of
from csc_tasks.play.requests import CHOOSE, FORMAT, GENERATE, PlayInstance, Seat
from csc_tasks.play.way import CONCURRENT, LOCKSTEP, PLAIN, Way

__all__ = [
    "AGENT",
    "CHOOSE",
    "FORMAT",
    "GENERATE",
    "Answered",
    "Choice",
    "LivePlayed",
    "PlayInstance",
    "Played",
    "Renderer",
    "Seat",
    "Way",
    "check_cache",
    "check_sampled",
    "choose",
    "generate",
    "length",
    "seed_of",
    "share",
]

log = logging.getLogger("lm_eval.csc_tasks")


def generate(lm: LM, requests: Sequence[PlayInstance]) -> list[Answered]:
    """`LM.csc_generate`: an answer for every request; conversations in generated context go turn by
    turn.

    Afterwards each request's `arguments[0]` is the prompt that was really sent.
    """
    label = "generated context" if all(request.generated for request in requests) else "replies"
    return _play(lm, requests, label, chooses=False)


def choose(lm: LM, requests: Sequence[PlayInstance]) -> list[Answered]:
    """`LM.csc_choose`: for every request the log-likelihood of `[name]` for each of the twelve
    names, in the table's order.
    """
    return _play(lm, requests, "strategy choice", chooses=True)


def _play(lm: LM, requests: Sequence[PlayInstance], label: str, chooses: bool) -> list[Answered]:
    """The answers to all requests, one repeat after the other."""
    repeats = sorted({request.repeat for request in requests})
    if len(repeats) == 1:
        return _play_once(lm, requests, label, chooses)
    itself = lm.lm if isinstance(lm, CachingLM) else lm
    answers: dict[int, Answered] = {}
    for repeat in repeats:
        own = [request for request in requests if request.repeat == repeat]
        title = f"{label}, repeat {repeat + 1} of {len(repeats)}"
        with own_seed(itself, repeat):
            played = _play_once(lm, own, title, chooses)
        answers |= {id(request): one for request, one in zip(own, played, strict=True)}
    return [answers[id(request)] for request in requests]


def _play_once(
    lm: LM, requests: Sequence[PlayInstance], label: str, chooses: bool
) -> list[Answered]:
    itself = lm.lm if isinstance(lm, CachingLM) else lm
    template = getattr(itself, "apply_chat_template", None)
    agent = described(itself)
    if agent:
        as_spoken(itself, requests)
    asked = conversations(requests)
    forced = check_forced(itself, requests)
    way = _way(itself, requests, chooses)
    if forced and way.mode == PLAIN and api.is_api(itself):
        concurrent.check_likelihoods(itself)
    for request in requests:
        request.way = way
    repeat = requests[0].repeat
    own_way = way.mode == PLAIN and api.sends_its_own_way(itself)
    if (way.slow or own_way) and not repeat:
        log.warning("csc: %s", way.line())
    window = min(request.settings.window for request in requests)
    # A strategy is chosen where the reply begins; a server that renders its prompts decides itself.
    at_reply = chooses or (forced and thoughts.renders(itself))
    plan = thoughts.plan(itself, requests, at_reply)
    if plan.line and getattr(lm, "rank", 0) == 0 and not repeat:
        log.warning("csc: %s", plan.line)
    thoughts.budgeted(itself, requests, plan)
    bridge = plan.thinking.bridge if at_reply and plan.thinking.thinks else ""
    remote = agent or api.is_api(itself)
    if remote and not agent:
        structured.by_schema(itself, requests)
    tally = Tally(
        requests,
        where=api.address(itself) if remote else type(itself).__name__,
        kept=isinstance(lm, CachingLM),
        connections=api.connections(itself) if remote else None,
    )
    progress: tqdm[NoReturn] = tqdm(
        total=tally.total,
        desc=f"csc: {label}",
        unit="turn",
        disable=getattr(lm, "rank", 0) != 0,
    )
    with (
        cache.of_this_model(lm, repeat),
        SteadyBatchSize(itself),
        thoughts.as_planned(itself, plan),
        live.seated(itself, requests),
        progress,
    ):
        if way.mode == LOCKSTEP:
            encode = None if chooses else lockstep.encoder(itself)
            renderer = Renderer(itself, template, encode, plan.thinking, plan.strips, bridge)
            in_lockstep = lockstep.choose if chooses else lockstep.generate
            with packed(itself.model, itself.mixed_precision_dtype):
                chains = in_lockstep(lm, asked, renderer, int(itself.batch_size), tally, progress)
        else:
            renderer = Renderer(itself, template, None, plan.thinking, plan.strips, bridge)
            if agent or way.mode == CONCURRENT:
                asking = concurrent.CHOICES if chooses else concurrent.REPLIES
                if agent:
                    asking = AGENTS_REPLIES
                elif chooses:
                    concurrent.check_likelihoods(itself)
                chains = concurrent.play(lm, asked, renderer, tally, progress, asking)
            else:
                plainly = plain.choose if chooses else plain.generate
                chains = plainly(lm, asked, renderer, window, tally, progress)
    if tally.summary():
        log.warning("csc: %s", tally.summary())
    return in_order(chains, requests)


def _way(lm: LM, requests: Sequence[PlayInstance], chooses: bool) -> Way:
    """How these requests are played, and why not in lockstep."""
    if described(lm):
        return Way(AGENT, connections=api.connections(lm))
    if any(request.settings.play != "auto" for request in requests):
        return Way(PLAIN, "csc_play=plain")
    if eligible.is_hf(lm):
        why = eligible.why_plain(lm, requests, chooses)
        return Way(LOCKSTEP) if why is None else Way(PLAIN, why, slow=True)
    if api.is_api(lm):
        return Way(CONCURRENT, connections=api.connections(lm))
    return Way(PLAIN, f"the backend {type(lm).__name__} is asked through its own methods")


for _class in (LM, CachingLM):
    setattr(_class, GENERATE, generate)
    setattr(_class, CHOOSE, choose)
