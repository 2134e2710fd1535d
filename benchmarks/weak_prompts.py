"""What helps a weak model to keep the reply format: five ways to ask, in both prompt styles.

  python -m benchmarks.weak_prompts --model DIR --corpus DIR [--limit 8] [--reply 16] \\
      [--language en] [--save FILE] [--prompts single chat] [--ways "as it is" "format again"]

The same supporter turns, those of the first documents of `lm_eval --limit N`, are asked in
reference context: as the tasks ask (*as it is*), with one worked example behind the format line
(*example*), with the format line once more at the end (*format again*), with the opening bracket
given as the beginning of the reply (*bracket given*), and with the names in brackets in place of
the words "[Strategy name]" (*names listed*). Prints a Markdown row for each:
strategy accuracy, accuracy where a strategy was read, and the share of replies in which one was,
with standard errors by conversation. Greedy. `--save` keeps every reply in a JSON file, and what is
there is not asked again.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from csc_tasks.conversation import Conversation
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages import language
from csc_tasks.metrics import METRICS
from csc_tasks.prompts import TurnPrompt, format_line, read_reply, tagged

Messages = list[dict[str, str]]
BATCH = 8
STYLES = ["single", "chat"]
METRIC_NAMES = ("strategy_acc", "strategy_acc_parsed", "format_rate")
EXAMPLES = {
    "en": "Could you tell me which of your cards this is about?",
    "zh": "请问您说的是哪一张卡呢？",
}
LISTED = {
    "en": "Reply format: one of {names}, then the reply",
    "zh": "回复格式：先写 {names} 中的一个，再写回复内容",
}
"""The first line of how to reply, where it lists the names."""


def as_it_is(prompt: TurnPrompt) -> Messages:
    return prompt.messages()


def with_example(prompt: TurnPrompt) -> Messages:
    """One reply as it should be, behind the line that says how."""
    line = format_line(prompt.language)
    reply = tagged("PR", EXAMPLES[prompt.language], prompt.language)
    return [
        message | {"content": message["content"].replace(line, f"{line}\n{reply}")}
        for message in prompt.messages()
    ]


def format_again(prompt: TurnPrompt) -> Messages:
    """The line that says how once more, where the reply is asked for."""
    line = format_line(prompt.language)
    *before, last = prompt.messages()
    if prompt.style == "chat":
        return [*before, last | {"content": f"{last['content']}\n\n{line}"}]
    tail = language(prompt.language).words.TAIL
    said = last["content"].removesuffix(tail)
    return [*before, last | {"content": f"{said}{line}\n\n{tail}"}]


def names_listed(prompt: TurnPrompt) -> Messages:
    """The names themselves where the line that says how has the words "Strategy name"."""
    line = format_line(prompt.language)
    _, _, rest = line.partition("\n")
    names = ", ".join(tagged(s.id, "", prompt.language).strip() for s in STRATEGIES)
    listed = f"{LISTED[prompt.language].format(names=names)}\n{rest}"
    return [
        message | {"content": message["content"].replace(line, listed)}
        for message in prompt.messages()
    ]


WAYS: dict[str, tuple[Callable[[TurnPrompt], Messages], str]] = {
    "as it is": (as_it_is, ""),
    "example": (with_example, ""),
    "format again": (format_again, ""),
    "bracket given": (as_it_is, "["),
    "names listed": (names_listed, ""),
}
"""Way of asking -> the messages, and what the reply is begun with."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--limit", type=int, default=8, help="conversations")
    parser.add_argument("--reply", type=int, default=16, help="tokens of a reply, at most")
    parser.add_argument("--prompts", nargs="+", default=STYLES, choices=STYLES)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--language", help="only the conversations of this one")
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    conversations = first_documents(args.corpus, args.limit, args.language)
    ask = asker(args.model, args.reply)
    print("|prompt|asked|strategy accuracy|where parsed|format rate|CPU s|")
    print("|---|---|---|---|---|---:|")
    for style, name in product(args.prompts, args.ways):
        messages, begin = WAYS[name]
        prompts = [
            TurnPrompt(conversation, turn, style)
            for conversation in conversations
            for turn in conversation.scored_turns()
        ]
        work = partial(ask, [messages(prompt) for prompt in prompts], begin)
        asked = (style, name, args.limit, args.reply, args.corpus, args.language, args.model)
        replies, seconds = once(args.save, asked, work)
        numbers = [shown(metric, prompts, replies) for metric in METRIC_NAMES]
        print("|".join(["", style, name, *numbers, f"{seconds:.0f}", ""]), flush=True)
    print(f"\n{len(prompts)} turns of {len(conversations)} conversations")


def once(
    file: Path | None, about: Iterable[object], work: Callable[[], list[Any]]
) -> tuple[list[Any], float]:
    """What `work` gives and its CPU seconds, or what `file` has kept of the same from before."""
    saved = json.loads(file.read_text()) if file and file.exists() else {}
    key = ", ".join(map(str, about))
    if key not in saved:
        started = time.process_time()
        saved[key] = {"replies": work(), "seconds": time.process_time() - started}
        if file:
            file.write_text(json.dumps(saved, ensure_ascii=False, indent=1))
    return saved[key]["replies"], saved[key]["seconds"]


def first_documents(corpus: str, count: int, code: str | None = None) -> list[Conversation]:
    """The conversations that the tasks ask about first, in the order of their ids' hashes; code:
    those of this language.
    """
    from csc_tasks.corpora import load

    items: list[Any] = [
        item
        for item in load(corpus, "csconv", "test").items
        if item.scored_turns() and code in (None, item.language)
    ]
    items.sort(key=lambda item: hashlib.sha256(item.conversation_id.encode()).hexdigest())
    return items[:count]


def asker(model_name: str, limit: int) -> Callable[[Sequence[Messages], str], list[str]]:
    """A function from messages and the beginning of every reply to the greedy replies."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_name, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(model_name, dtype=torch.float32).eval()

    def ask(asked: Sequence[Messages], begin: str) -> list[str]:
        texts = [
            tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            + begin
            for messages in asked
        ]
        replies = [""] * len(texts)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            tokens = tokenizer(
                [texts[place] for place in places],
                return_tensors="pt",
                padding=True,
                add_special_tokens=False,
            )
            with torch.inference_mode():
                made = model.generate(**tokens, max_new_tokens=limit, do_sample=False)
            new = tokenizer.batch_decode(
                made[:, tokens["input_ids"].shape[1] :], skip_special_tokens=True
            )
            for place, text in zip(places, new, strict=True):
                replies[place] = begin + text
        return replies

    return ask


def shown(name: str, prompts: Sequence[TurnPrompt], replies: Sequence[str]) -> str:
    """A metric of the replies, with its standard error."""
    metric, pairs, clusters = METRICS[name], [], []
    for prompt, text in zip(prompts, replies, strict=True):
        chosen = read_reply(text, None, prompt.language).strategy
        if metric.counts(chosen):
            pairs.append((chosen, prompt.conversation.dialogue[prompt.turn].strategy))
            clusters.append(prompt.conversation.conversation_id)
    if not pairs:
        return "N/A"
    predictions, gold = zip(*pairs, strict=True)
    scores = metric.function(list(predictions), list(gold), "en")
    estimate = metric.estimate(scores.items, clusters)
    # One conversation has no error.
    return f"{estimate.value:.3f}" + (
        "" if estimate.stderr is None else f" ± {estimate.stderr:.3f}"
    )


if __name__ == "__main__":
    main()
