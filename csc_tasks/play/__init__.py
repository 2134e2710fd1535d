"""Plays conversations through an lm_eval model: reference context, generated context, questions and strategy choice.

The tasks send requests of two types of their own, `csc_generate` and `csc_choose`; importing this package gives lm_eval's `LM` and
`CachingLM` a method for each. Prompts, what is dropped where one would not fit, and the replies that re-enter are the same for every
backend (requests.py, chains.py). How the model is asked differs:

- lm_eval's HF backend, where the model allows it (eligible.py): in lockstep, its key-value cache kept between turns (lockstep.py, rows.py);
- API backends with several connections: as many conversations at once (concurrent.py);
- all else, and everything with `csc_play=plain`: through the backend's own `generate_until` and `loglikelihood` (plain.py).
"""

import logging
from collections.abc import Sequence

from lm_eval.api.model import LM, CachingLM
from tqdm import tqdm

from csc_tasks.play import concurrent, eligible, lockstep, plain, thoughts
from csc_tasks.play.chains import conversations, in_order
from csc_tasks.play.ranks import length, share
from csc_tasks.play.requests import Played, PlayInstance, Renderer

__all__ = ["CHOOSE", "GENERATE", "PlayInstance", "Played", "Renderer", "choose", "generate", "length", "share"]

log = logging.getLogger("lm_eval.csc_tasks")

GENERATE = "csc_generate"
CHOOSE = "csc_choose"


def generate(lm, requests: Sequence[PlayInstance]) -> list[Played]:
    """`LM.csc_generate`: an answer for every request; conversations in generated context go turn by turn.

    Afterwards each request's `arguments[0]` is the prompt that was really sent.
    """
    label = "generated context" if any(request.generated for request in requests) else "replies"
    return _play(lm, requests, label, chooses=False)


def choose(lm, requests: Sequence[PlayInstance]) -> list[dict]:
    """`LM.csc_choose`: for every request the log-likelihood of `[name]` for each of the twelve names, in the table's order."""
    return _play(lm, requests, "strategy choice", chooses=True)


def _play(lm, requests: Sequence[PlayInstance], label: str, chooses: bool) -> list:
    itself = lm.lm if isinstance(lm, CachingLM) else lm
    template = getattr(itself, "apply_chat_template", None)
    asked = conversations(requests)
    automatic = all(request.play == "auto" for request in requests)
    why = eligible.why_plain(itself, requests, chooses) if automatic and eligible.is_hf(itself) else ""
    if why:
        log.info("csc: every prompt is encoded from its start, because %s", why)
    window = min(request.window for request in requests)
    plan = thoughts.plan(itself, requests, chooses)
    if plan.line and getattr(lm, "rank", 0) == 0:
        log.warning("csc: %s", plan.line)
    thoughts.budgeted(itself, requests, plan)
    bridge = plan.thinking.bridge if chooses and plan.thinking.thinks else ""
    how = {"thinking": plan.thinking, "strips": plan.strips, "bridge": bridge}
    progress = tqdm(total=sum(map(len, asked)), desc=f"csc: {label}", unit="turn", disable=getattr(lm, "rank", 0) != 0)
    with _SteadyBatchSize(itself), thoughts.as_planned(itself, plan), progress:
        if why is None:
            played = (lockstep.choose if chooses else lockstep.generate)(lm, asked, template, int(itself.batch_size), progress, **how)
        elif automatic and not chooses and concurrent.is_concurrent(itself):
            played = concurrent.generate(lm, asked, Renderer(itself, template, **how), progress)
        else:
            played = (plain.choose if chooses else plain.generate)(lm, asked, Renderer(itself, template, **how), window, progress)
    return in_order(played, requests)


class _SteadyBatchSize:
    """`--batch_size auto` measures the model in every call; play makes many calls, so it is measured once a model."""

    def __init__(self, lm) -> None:
        self.lm = lm

    def __enter__(self) -> None:
        self.measured = getattr(self.lm, "batch_size", None) == "auto" and hasattr(self.lm, "_detect_batch_size")
        if self.measured:
            self.before = self.lm.batch_size_per_gpu
            if not hasattr(self.lm, "csc_batch_size"):
                self.lm.csc_batch_size = self.lm._detect_batch_size()
                log.info("batch size %s, measured once", self.lm.csc_batch_size)
            self.lm.batch_size_per_gpu = self.lm.csc_batch_size

    def __exit__(self, *_) -> None:
        if self.measured:
            self.lm.batch_size_per_gpu = self.before


for _class in (LM, CachingLM):
    setattr(_class, GENERATE, generate)
    setattr(_class, CHOOSE, choose)
