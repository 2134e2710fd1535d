"""Which replies of two runs differ, and why: the same prompts asked of the same model elsewhere."""

import json
import urllib.request
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from csc_tasks.runs.samples_file import read_run

CLOSE = 1e-2
"""Two logits of which either may be the larger in another order of the same float32 sums."""

Key = tuple[str, int]
"""A conversation's id and the position of a turn in it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The prompt as text, the raw reply, and whether the token limit cut it (None: not known)."""

    prompt: str
    reply: str
    cut: bool | None


@dataclass(slots=True)
class Differences:
    """Of two runs: turns whose prompts are the same, other turns (an earlier reply differed), the
    reasons of replies that differ, and how far apart, in logits, the two tokens were at most.
    """

    compared: int = 0
    later: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    widest: float = 0.0

    @property
    def differ(self) -> int:
        """Replies that differ though the prompt is the same."""
        return self.reasons.total()


class Judge:
    """The reference model in float32: tokens of a prompt, and how sure it was of a token."""

    def __init__(self, model: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)

    def text(self, prompt: Any) -> str:
        """A logged prompt as the text that the reference was given: messages by the template."""
        if isinstance(prompt, str):
            return prompt
        # lm_eval's JSON chat string is a tuple of one.
        messages = json.loads(prompt[0])
        rendered = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        return str(rendered)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a rendered prompt or of a reply."""
        tokens: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return tokens

    def gap(self, prompt: str, one: str, other: str) -> float:
        """How much larger the logit of the first run's token is, where the replies part."""
        import torch

        tokens, others = self.tokens(one), self.tokens(other)
        ending = self.tokenizer.eos_token_id
        same = next(
            (
                position
                for position, (mine, theirs) in enumerate(zip(tokens, others, strict=False))
                if mine != theirs
            ),
            min(len(tokens), len(others)),
        )
        mine, theirs = ((*ids, ending)[same] for ids in (tokens, others))
        with torch.no_grad():
            ids = torch.tensor([self.tokens(prompt) + tokens[:same]])
            logits = self.model(input_ids=ids, logits_to_keep=1).logits[0, -1]
        return float(logits[mine] - logits[theirs])


def read_turns(samples: Path, judge: Judge) -> dict[Key, Turn]:
    """The turns of a samples file."""
    return {
        (record["conversation_id"], record["turn"]): Turn(
            judge.text(line["arguments"][f"gen_args_{number}"]["arg_0"]),
            line["resps"][number][0],
            record["truncated"],
        )
        for line in read_run(samples).lines
        for number, record in enumerate(line["turns"])
    }


def compare(
    reference: Mapping[Key, Turn],
    other: Mapping[Key, Turn],
    judge: Judge,
    unlike: Collection[Key] = (),
) -> Differences:
    """What differs in `other`, of turns that both have. unlike: those whose prompts became other
    tokens there.
    """
    found = Differences()
    for key, one in reference.items():
        two = other.get(key)
        if two is None:
            continue
        if one.prompt != two.prompt:
            found.later += 1
            continue
        found.compared += 1
        if one.reply == two.reply:
            continue
        if key in unlike:
            found.reasons["other tokens"] += 1
        elif one.reply.strip() == two.reply.strip():
            found.reasons["white space"] += 1
        elif one.reply.rstrip("\ufffd") == two.reply.rstrip("\ufffd"):
            # The limit fell between the bytes of a character; llama.cpp leaves its half out.
            found.reasons["half a character"] += 1
        elif two.reply.startswith(one.reply) or (one.reply.startswith(two.reply) and two.cut):
            found.reasons["end"] += 1
        else:
            gap = judge.gap(one.prompt, one.reply, two.reply)
            found.widest = max(found.widest, gap)
            found.reasons["rounding" if abs(gap) < CLOSE else "precision"] += 1
    return found


def server_tokens(kind: str, address: str, model: str, messages: list[dict[str, str]]) -> list[int]:
    """What a server makes of messages: their tokens; of `transformers serve`, which does not say
    them, so many zeros.
    """
    if kind == "llama.cpp":
        prompt = _post(f"{address}/apply-template", {"messages": messages})["prompt"]
        # As its chat endpoint does it: marks in the text are marks, and a start mark where the file
        # asks for one.
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        return list(_post(f"{address}/tokenize", asked)["tokens"])
    if kind == "vllm":
        asked = {"model": model, "messages": messages, "add_generation_prompt": True}
        return list(_post(f"{address}/tokenize", asked)["tokens"])
    asked = {"model": model, "messages": messages, "max_tokens": 1, "temperature": 0}
    usage = _post(f"{address}/v1/chat/completions", asked)["usage"]
    return [0] * int(usage["prompt_tokens"])


def same_tokens(kind: str, actual: list[int], expected: list[int]) -> bool:
    """Whether a server's tokens are those; of `transformers serve` their number is compared."""
    return len(actual) == len(expected) if kind == "transformers" else actual == expected


def logged_messages(samples: Path) -> Iterator[tuple[Key, list[dict[str, str]]]]:
    """The messages that a run over a chat API sent, by turn."""
    for line in read_run(samples).lines:
        for number, record in enumerate(line["turns"]):
            prompt = line["arguments"][f"gen_args_{number}"]["arg_0"]
            yield (record["conversation_id"], record["turn"]), json.loads(prompt[0])


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        answer: dict[str, Any] = json.load(response)
        return answer
