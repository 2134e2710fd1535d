"""Plays conversations through an lm_eval model: reference context, generated context, questions and strategy choice.

The tasks send requests of two types of their own, `csc_generate` and `csc_choose`; importing this module gives lm_eval's `LM` and
`CachingLM` a method for each. Each method renders the prompt, drops whole oldest turns where it would not fit the model, and asks the
model through its ordinary `generate_until` or `loglikelihood`, so that every backend, cache and rank works as in any other task.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM
from lm_eval.models.utils import normalize_gen_kwargs
from tqdm import tqdm

from csc_tasks.errors import ModelError
from csc_tasks.framework import STRATEGIES
from csc_tasks.observe import cut_replies
from csc_tasks.prompts import AnswerPrompt, Reply, TurnPrompt, read_reply, writable

log = logging.getLogger("lm_eval.csc_tasks")

GENERATE = "csc_generate"
CHOOSE = "csc_choose"
TEMPLATE_MARGIN = 16
"""Tokens a tokenizer may add to a rendered prompt (beginning-of-text marks and the like), kept free in the quick length check."""


@dataclass
class PlayInstance(Instance):
    """A request for one supporter turn or one answer.

    `prompt` renders it, `templated` says whether the run applies the model's chat template, `generated` whether the model's own earlier
    turns stand in for the gold supporter's.
    """

    prompt: TurnPrompt | AnswerPrompt | None = None
    system_instruction: str | None = None
    templated: bool = False
    generated: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """What came back for a request: the raw text, whether the token limit cut it (None: the backend cannot tell) and turns dropped.

    `history_truncated` is None where the model's length or tokenizer is not known here.
    """

    text: str
    truncated: bool | None
    history_truncated: int | None


class Renderer:
    """Prompts as one model takes them: chat template or plain text, and short enough."""

    def __init__(self, lm, chat_template: Callable | None) -> None:
        self.lm = lm
        self.chat_template = chat_template
        self._takes_system: bool | None = None

    def render(self, request: PlayInstance, drop: int = 0, replies: dict[int, Reply] | None = None):
        """The prompt as text (or lm_eval's JSON chat string for chat APIs) with `drop` oldest turns left out."""
        messages = request.prompt.messages(drop, replies)
        if request.system_instruction:
            if messages[0]["role"] == "system":
                messages[0]["content"] = f"{request.system_instruction}\n\n{messages[0]['content']}"
            else:
                messages.insert(0, {"role": "system", "content": request.system_instruction})
        if not request.templated:
            return request.prompt.plain(messages)
        if messages[0]["role"] == "system" and not self.takes_system():
            messages[1]["content"] = f"{messages[0]['content']}\n\n{messages[1]['content']}"
            del messages[0]
        return self.chat_template(messages)

    def takes_system(self) -> bool:
        """Whether the chat template shows a system message; lm_eval drops the message in silence where a template refuses it."""
        if self._takes_system is None:
            probe = "system-message-probe"
            rendered = self.chat_template([{"role": "system", "content": probe}, {"role": "user", "content": "probe"}])
            self._takes_system = not isinstance(rendered, str) or probe in rendered
            if not self._takes_system:
                log.warning("this model's chat template takes no system message: instructions open the first user message instead")
        return self._takes_system

    def fitting(self, request: PlayInstance, reply_tokens: int, replies: dict[int, Reply] | None = None) -> tuple:
        """(prompt, turns dropped): the prompt with as few whole oldest turns left out as the model's length demands.

        Turns dropped is None where the model's length is not known here. Raises ModelError when the instructions alone do not fit.
        """
        prompt = self.render(request, 0, replies)
        room = self._room(reply_tokens)
        if room is None or not isinstance(prompt, str):
            return prompt, None
        # A token is at least one byte, so most prompts need no tokenizer to be known to fit.
        if len(prompt.encode()) + TEMPLATE_MARGIN <= room or self._length(prompt) <= room:
            return prompt, 0
        low, high = 1, request.prompt.droppable()
        if high < low or self._length(self.render(request, high, replies)) > room:
            bare = self._length(self.render(request, max(high, 0), replies))
            raise ModelError(
                f"{request.doc['conversation_id']}: instructions and question alone take {bare} tokens, the model has room for {room} "
                f"beside a reply of {reply_tokens}; use a model with a longer context or a smaller max_gen_toks"
            )
        while low < high:
            middle = (low + high) // 2
            if self._length(self.render(request, middle, replies)) <= room:
                high = middle
            else:
                low = middle + 1
        return self.render(request, low, replies), low

    def _room(self, reply_tokens: int) -> int | None:
        limit = getattr(self.lm, "max_length", None)
        if not isinstance(limit, int) or not hasattr(self.lm, "tok_encode") or getattr(self.lm, "tokenizer", None) is None:
            return None
        return limit - reply_tokens

    def _length(self, prompt: str) -> int:
        return len(self.lm.tok_encode(prompt))


def generate(lm, requests: Sequence[PlayInstance]) -> list[Played]:
    """`LM.csc_generate`: an answer for every request; conversations in generated context go turn by turn, in rounds.

    Afterwards each request's `arguments[0]` is the prompt that was really sent.
    """
    lm_itself = _itself(lm)
    renderer = Renderer(lm_itself, getattr(lm_itself, "apply_chat_template", None))
    unique = list({id(request): request for request in requests}.values())
    rounds = _rounds(unique)
    if len(rounds) > 1:
        _refuse_reloading(lm_itself)
    played: dict[int, Played] = {}
    replies: dict[tuple, dict[int, Reply]] = defaultdict(dict)
    label = "generated context" if len(rounds) > 1 else "replies"
    with _steady_batch_size(lm_itself), tqdm(total=len(unique), desc=f"csc: {label}", unit="turn", disable=_rank(lm) != 0) as progress:
        for batch in rounds:
            asked = []
            for request in batch:
                kwargs = request.arguments[1]
                own = replies[_conversation(request)] if request.generated else None
                prompt, dropped = renderer.fitting(request, _reply_tokens(lm_itself, kwargs), own)
                request.arguments = (prompt, kwargs)
                asked.append((Instance("generate_until", request.doc, request.arguments, 0, request.metadata), dropped))
            with cut_replies(lm) as was_cut:
                texts = lm.generate_until([instance for instance, _ in asked])
                for request, (instance, dropped), text in zip(batch, asked, texts, strict=True):
                    played[id(request)] = Played(writable(text or ""), was_cut(instance.args), dropped)
                    if request.generated:
                        replies[_conversation(request)][request.prompt.turn] = read_reply(text)
            progress.update(len(batch))
    return [played[id(request)] for request in requests]


def choose(lm, requests: Sequence[PlayInstance]) -> list[dict]:
    """`LM.csc_choose`: for every request the log-likelihood of `[name]` for each of the twelve names, in the table's order."""
    lm_itself = _itself(lm)
    renderer = Renderer(lm_itself, getattr(lm_itself, "apply_chat_template", None))
    unique = list({id(request): request for request in requests}.values())
    asked, dropped = [], []
    for request in unique:
        names = [f"[{strategy.name(request.prompt.language)}]" for strategy in STRATEGIES]
        longest = 1 + max(len(name.encode()) for name in names)
        prompt, left_out = renderer.fitting(request, longest)
        request.arguments = (prompt, request.arguments[1])
        dropped.append(left_out)
        # A chat template ends where the reply starts; plain text ends with a colon and wants a space.
        space = "" if request.templated else " "
        asked += [Instance("loglikelihood", request.doc, (prompt, space + name), i, request.metadata) for i, name in enumerate(names)]
    answers = lm.loglikelihood(asked)
    size = len(STRATEGIES)
    found = {
        id(request): {"loglikelihoods": [answer[0] for answer in answers[i * size : (i + 1) * size]], "history_truncated": dropped[i]}
        for i, request in enumerate(unique)
    }
    return [found[id(request)] for request in requests]


def _rounds(requests: Sequence[PlayInstance]) -> list[list[PlayInstance]]:
    """Requests that can be asked together: all of reference context at once, the k-th supporter turn of each conversation in round k.

    Requests arrive conversation by conversation, turn by turn, and stay in that order, which a backend's prefix cache likes.
    """
    order: dict[tuple, int] = defaultdict(int)
    rounds: list[list[PlayInstance]] = [[]]
    for request in requests:
        position = 0
        if request.generated:
            position = order[_conversation(request)]
            order[_conversation(request)] += 1
        while len(rounds) <= position:
            rounds.append([])
        rounds[position].append(request)
    return rounds


def _conversation(request: PlayInstance) -> tuple:
    return request.task_name, request.doc_id


def _itself(lm):
    """The model below lm_eval's cache wrapper."""
    return lm.lm if isinstance(lm, CachingLM) else lm


def _rank(lm) -> int:
    return getattr(lm, "rank", 0)


def _reply_tokens(lm, kwargs: dict) -> int:
    return normalize_gen_kwargs(kwargs, getattr(lm, "max_gen_toks", 256))["max_gen_toks"]


def _refuse_reloading(lm) -> None:
    if getattr(lm, "data_parallel_size", 1) > 1:
        raise ModelError(
            "generated context asks turn by turn, and this backend with data_parallel_size > 1 loads the model again each time: "
            "run `vllm serve` and use --model local-chat-completions, or data_parallel_size=1"
        )


class _steady_batch_size:
    """`--batch_size auto` measures the model in every call; play makes many calls, so it is measured once."""

    def __init__(self, lm) -> None:
        self.lm = lm

    def __enter__(self) -> None:
        self.measured = getattr(self.lm, "batch_size", None) == "auto" and hasattr(self.lm, "_detect_batch_size")
        if self.measured:
            self.before = self.lm.batch_size_per_gpu
            self.lm.batch_size_per_gpu = self.lm._detect_batch_size()
            log.info("batch size %s, measured once", self.lm.batch_size_per_gpu)

    def __exit__(self, *_) -> None:
        if self.measured:
            self.lm.batch_size_per_gpu = self.before


for _class in (LM, CachingLM):
    setattr(_class, GENERATE, generate)
    setattr(_class, CHOOSE, choose)
