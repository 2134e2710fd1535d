"""The plain way: every backend's own `generate_until` and `loglikelihood`, a window of
conversations at a time.

Backends sort what they are given by length. A window keeps the requests of one conversation near
each other all the same, so that a backend's prefix cache of bounded size (vLLM, sglang) still holds
what the next turn repeats.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM
from tqdm import tqdm

from csc_tasks.errors import ModelError
from csc_tasks.framework import STRATEGIES
from csc_tasks.observe import cut_replies
from csc_tasks.play.api import address, is_api
from csc_tasks.play.book import Book
from csc_tasks.play.chains import Chain, windows
from csc_tasks.play.failures import Tally
from csc_tasks.play.forced import longest_name, options
from csc_tasks.play.live import chain_of
from csc_tasks.play.renderer import Renderer
from csc_tasks.play.requests import PlayInstance
from csc_tasks.timing import BATCH, Timing


def generate(
    lm: LM,
    conversations: Sequence[Sequence[PlayInstance]],
    renderer: Renderer,
    window: int,
    tally: Tally,
    progress: "tqdm[NoReturn]",
) -> list[Chain]:
    """Reference context: a whole window at once. Generated context: the k-th supporter turns of a
    window in its k-th round.
    """
    if any(
        requests[0].generated and (len(requests) > 1 or requests[0].live)
        for requests in conversations
    ):
        _refuse_reloading(renderer.lm)
    played: list[Chain] = []
    book = Book(lm)
    for some in windows(conversations, window):
        chains = [
            chain_of(asked_together)(asked_together, renderer, tally)
            for requests in some
            for asked_together in _asked_together(requests)
        ]
        played += chains
        while asked := _next_requests(chains):
            if choosing := [(chain, request) for chain, request in asked if request.choosing]:
                _choose(lm, choosing)
                continue
            instances = [
                Instance("generate_until", request.doc, request.arguments, 0, request.metadata)
                for _, request in asked
            ]
            for chain, request in asked:
                known = book.reply(request.arguments) is not None
                chain.watch.add(book.cached_timing(request.arguments) if known else Timing(BATCH))
            with cut_replies(lm, progress.update) as was_cut:
                texts = _answers(lm, "generate_until", instances)
                for (chain, _), instance, text in zip(asked, instances, texts, strict=True):
                    chain.answer(text, was_cut(instance.args))
            chains = [chain for chain, _ in asked]
            # A turn that is asked again was counted as it was answered first.
            progress.update(sum(chain.position for chain in played) - progress.n)
    return played


def choose(
    lm: LM,
    conversations: Sequence[Sequence[PlayInstance]],
    renderer: Renderer,
    window: int,
    tally: Tally,
    progress: "tqdm[NoReturn]",
) -> list[Chain]:
    """The twelve continuations of every prompt, as ordinary log-likelihood requests."""
    played: list[Chain] = []
    for some in windows(conversations, window):
        chains = [
            Chain([request], renderer, tally, longest_name(request))
            for requests in some
            for request in requests
        ]
        _choose(lm, [(chain, request) for chain in chains if (request := chain.ask()) is not None])
        played += chains
        progress.update(len(chains))
    return played


def _choose(lm: LM, asked: Sequence[tuple[Chain, PlayInstance]]) -> None:
    """Book the twelve log-likelihoods after each chain's prompt."""
    instances = [
        Instance(
            "loglikelihood",
            request.doc,
            (request.arguments[0], option),
            number,
            request.metadata,
        )
        for _, request in asked
        for number, option in enumerate(options(request))
    ]
    if not instances:
        return
    # The prompts end alike; any of the twelve names may be joined to that end.
    for instance in instances[: len(STRATEGIES)]:
        _check_split(lm, *instance.args)
    answers = [answer[0] for answer in _answers(lm, "loglikelihood", instances)]
    for number, (chain, _) in enumerate(asked):
        chain.choose(answers[number * len(STRATEGIES) : (number + 1) * len(STRATEGIES)])


def _check_split(lm: LM, prompt: str, option: str) -> None:
    """Raise ModelError where the tokens that the backend takes for a prompt and a name are not
    those of both together: it would then compare the names without their beginnings.
    """
    itself = lm.lm if isinstance(lm, CachingLM) else lm
    split, encode = getattr(itself, "_encode_pair", None), getattr(itself, "tok_encode", None)
    if not isinstance(prompt, str) or split is None or encode is None or is_api(itself):
        return
    context, name = split(prompt, option)
    if not name or [*context, *name] != list(encode(prompt + option)):
        raise ModelError(
            "this model's tokenizer has tokens that reach from the prompt into the names, which"
            " csc_play=plain would leave out; play it with csc_play=auto"
        )


def _asked_together(requests: Sequence[PlayInstance]) -> list[Sequence[PlayInstance]]:
    """Runs of requests that have to be asked one after the other."""
    return [requests] if requests[0].generated else [[request] for request in requests]


def _next_requests(chains: Iterable[Chain]) -> list[tuple[Chain, PlayInstance]]:
    """The chains that have something left to ask, each with its next request."""
    asked = ((chain, chain.ask()) for chain in chains)
    return [(chain, request) for chain, request in asked if request is not None]


def _answers(lm: LM, method: str, instances: list[Instance]) -> list[Any]:
    """What the backend's own method answers. A server's failure, which ends the run here, is one
    line.
    """
    itself = lm.lm if isinstance(lm, CachingLM) else lm
    try:
        answers: list[Any] = getattr(lm, method)(instances)
    except Exception as error:
        if not is_api(itself):
            raise
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{address(itself)}: {type(error).__name__}: {reason}; with csc_play=plain one failed"
            " request ends the run, with csc_play=auto it is one failed turn"
        ) from error
    return answers


def _refuse_reloading(lm: LM) -> None:
    if getattr(lm, "data_parallel_size", 1) > 1:
        raise ModelError(
            "generated context asks turn by turn, and this backend with data_parallel_size > 1"
            " loads the model again each time: run `vllm serve` and use --model"
            " local-chat-completions, or data_parallel_size=1"
        )
