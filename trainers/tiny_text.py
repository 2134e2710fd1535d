"""What the tiny model reads: the tasks' own prompts in chat style, a tokenizer learned from them,
and which tokens are learned.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from csc_tasks.conversation import Conversation
from csc_tasks.framework import STRATEGIES
from csc_tasks.languages.labels import read_together
from csc_tasks.prompts import AnswerPrompt, TurnPrompt, instructions, tagged
from csc_tasks.question import Question

REPLY_TOKENS = 256
"""What the tasks let a model write (max_gen_toks): kept free after every prompt."""
END, PAD = "<|im_end|>", "<|endoftext|>"
# ChatML, but each opening is one token: otherwise the marks would be a third of a conversation of
# short turns.
OPENINGS = tuple(f"<|im_start|>{role}\n" for role in ("system", "user", "assistant"))
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] +"
    " '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%"
    " endif %}"
)
# Pieces end at punctuation and not at every space, so that BPE can learn the phrases that support
# replies repeat, in English as in Chinese.
PIECES = (
    r" ?\d{1,3}"
    r"| ?[^\s\d.,!?:;，。！？：；、]+(?: [^\s\d.,!?:;，。！？：；、]+)*[.,!?:;，。！？：；、]*"
    r"|[.,!?:;，。！？：；、]+|\s"
)


@dataclass(frozen=True, slots=True)
class Example:
    """A rendered conversation or question, and the character spans that are learned: each a target
    with the mark that ends it.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as token ids, with whether each token is learned."""

    ids: list[int]
    learned: list[bool]


def prompts_of(
    item: Conversation | Question, variant: str = "predict"
) -> list[tuple[TurnPrompt | AnswerPrompt, str]]:
    """Each prompt that the tasks send about a conversation (`variant` as in TurnPrompt) or a
    question in chat style, with its target.
    """
    if isinstance(item, Conversation):
        return [
            (prompt, prompt.target())
            for prompt in (
                TurnPrompt(item, turn, "chat", variant) for turn in item.labelled_turns()
            )
        ]
    return [
        (AnswerPrompt(item, "chat"), item.refined_agent_answer.strip() or item.agent_answer.strip())
    ]


def train_tokenizer(items: Iterable[Conversation | Question], vocabulary: int, positions: int):
    """A byte-level BPE tokenizer of `vocabulary` tokens with a ChatML template, learned from the
    items' prompts and targets.

    `[Strategy name]` is one token in every language of the items, so that the choice of a strategy
    is one choice.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    items = list(items)
    bare = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), "isolated")
    bare.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bare.decoder = decoders.ByteLevel()
    tags = [
        tagged(strategy.id, "", language).strip()
        for language in _languages(items)
        for strategy in STRATEGIES
    ]
    tags = list(dict.fromkeys(tags))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(tags),
        min_frequency=2,
        special_tokens=[PAD, END, *OPENINGS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bare.train_from_iterator(_texts(items), trainer)
    bare.add_tokens([AddedToken(tag, normalized=False) for tag in tags])
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token=END,
        pad_token=PAD,
        chat_template=TEMPLATE,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )


def _languages(items: Iterable[Conversation | Question]) -> list[str]:
    """The languages of the items and those that are read everywhere."""
    spoken = {item.language for item in items}
    return list(dict.fromkeys(code for one in sorted(spoken) for code in read_together(one)))


def _texts(items: Iterable[Conversation | Question]) -> Iterator[str]:
    yield from (instructions(language, "predict") for language in _languages(items))
    for item in items:
        for prompt, target in prompts_of(item)[-1:]:
            yield from (message["content"] for message in prompt.messages())
            yield target


def examples_of(
    item: Conversation | Question,
    tokenizer,
    positions: int,
    counts: Counter,
    variant: str = "predict",
) -> Iterator[Example]:
    """The texts that teach one conversation or question; what was made and left out is added to
    `counts`.

    The prompt of the last scored turn, with its target, holds the earlier prompts and targets too
    and so teaches them all at once. A turn whose prompt goes on differently (one right after
    another supporter turn, or one that needs history left out) gets its own text.
    """
    asked = prompts_of(item, variant)
    kind = "conversations" if isinstance(item, Conversation) else "questions"
    counts[kind] += 1
    counts[f"{kind} without a labelled supporter turn"] += not asked
    made: list[tuple[str, list[tuple[int, int]]]] = []
    for prompt, target in reversed(asked):
        opening, dropped = _fitting(prompt, tokenizer, positions - REPLY_TOKENS)
        if opening is None:
            counts["targets left out, because their prompts are too long for the model"] += 1
            continue
        counts["targets"] += 1
        counts["targets with oldest turns left out"] += dropped > 0
        taught = opening + target + END
        spans = next((spans for text, spans in made if text.startswith(taught)), None)
        if spans is None:
            spans = []
            made.append((taught, spans))
        spans.append((len(opening), len(taught)))
    counts["texts"] += len(made)
    yield from (Example(text, tuple(reversed(spans))) for text, spans in made)


def _fitting(prompt: TurnPrompt | AnswerPrompt, tokenizer, room: int) -> tuple[str | None, int]:
    """The rendered prompt and how many oldest turns had to go for it to fit; None where even that
    does not help.
    """
    for drop in range(prompt.droppable() + 1):
        text = tokenizer.apply_chat_template(
            prompt.messages(drop), tokenize=False, add_generation_prompt=True
        )
        if len(tokenizer(text)["input_ids"]) <= room:
            return text, drop
    return None, prompt.droppable()


def encode(example: Example, tokenizer) -> Encoded:
    """Token ids; the learned ones are those inside a span."""
    encoding = tokenizer(example.text, return_offsets_mapping=True)
    learned = [False] * len(encoding["input_ids"])
    for start, end in example.spans:
        for i in range(encoding.char_to_token(start), encoding.char_to_token(end - 1) + 1):
            learned[i] = True
    return Encoded(encoding["input_ids"], learned)
