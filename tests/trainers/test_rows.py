"""Training rows: their contexts are what lm_eval's hf backend really sends, their masks decode to
the targets, their losses add up.
"""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest

from csc_tasks.conversation import Conversation, Turn
from csc_tasks.errors import DataError, ModelError
from csc_tasks.labels import Label
from csc_tasks.languages.labels import strategy_name
from csc_tasks.prompts import AnswerPrompt, TurnPrompt
from tests.support.chat_tokenizers import STOCK, make_tokenizer, save_model
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from trainers.rendering import Rendering
from trainers.rows import IGNORED, TooLong, asked_of, build_rows

# These render a turn in the same way whether it is the last one or not; the others drop or move
# marks in earlier turns.
PACKS = {"qwen2_5", "llama3", "gemma", "phi3", "instruct"}
# What stands between prompt and target, where it is not nothing: an empty thinking block is closed;
# a channel is named; a space.
OPENINGS = {
    "deepseek_r1_distill": "\n</think>\n\n",
    "gptoss": "<|channel|>final<|message|>",
    "instruct": " ",
}
ENDS = {"gemma": "<end_of_turn>", "phi3": "<|end|>", "glm4moe": "<|endoftext|>"}


@pytest.fixture(scope="module")
def texts():
    items = [*sample_conversations(), *sample_questions()]
    return [
        text
        for item in items
        for prompt, target in asked_of(item, "single")
        for text in (prompt.plain(prompt.messages()), target)
    ]


@pytest.fixture(scope="module")
def tokenizers(texts):
    """Template name (None: no template) -> tokenizer, each trained once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make_tokenizer(name, texts)
        return made[name]

    return get


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def tasks(corpus):
    """Prompt style, form of replies -> csc_conv_ref and csc_qa, each loaded once: lm_eval takes
    seconds to find a task.
    """
    from lm_eval.tasks import TaskManager, get_task_dict

    from csc_tasks import TASKS_DIR
    from csc_tasks.settings import Settings

    made = {}

    def get(style, form="text"):
        if (style, form) not in made:
            metadata = {
                "csc_corpus": str(corpus),
                "csc_qa_corpus": str(corpus),
                "csc_prompt": style,
                "csc_format": form,
                "csc_metrics": "bleu_4",
            }
            if "play" in Settings.__dataclass_fields__:
                # Every prompt through generate_until: what it is is the question here, not how it
                # is computed.
                metadata["csc_play"] = "plain"
            manager = TaskManager(
                include_path=str(TASKS_DIR), include_defaults=False, metadata=metadata
            )
            made[style, form] = get_task_dict(["csc_conv_ref", "csc_qa"], manager)
        return made[style, form]

    return get


def sent_by_lm_eval(tasks, tokenizer, templated, arguments):
    """The token ids that HFLM hands to its model for the requests of the tasks, padding removed."""
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=100_000,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    sent = []

    class Recorder(HFLM):
        def _model_generate(self, context, max_length=None, stop=None, attention_mask=None, **_):
            sent.extend(
                tuple(row[mask.bool()].tolist())
                for row, mask in zip(context, attention_mask, strict=True)
            )
            return torch.cat(
                [context, torch.full((len(context), 1), tokenizer.eos_token_id)], dim=1
            )

    lm = Recorder(
        Qwen3ForCausalLM(config),
        tokenizer=tokenizer,
        device="cpu",
        batch_size=64,
        max_length=100_000,
        **arguments,
    )
    for task in tasks.values():
        template = lm.apply_chat_template if templated else None
        task.build_all_requests(
            rank=0, world_size=1, apply_chat_template=templated, chat_template=template
        )
        lm.csc_generate(task.instances)
    return Counter(sent)


def contexts(rows):
    return Counter(tuple(row.ids[:start]) for row in rows for start, _ in row.targets)


@pytest.mark.parametrize("style", ["single", "chat"])
@pytest.mark.parametrize("name", STOCK)
def test_every_targets_context_is_what_lm_eval_sends(name, style, tokenizers, tasks):
    rendering = Rendering(tokenizers(name), True)
    rows, counts = build_rows(
        [*sample_conversations(), *sample_questions()], rendering, style, 100_000
    )
    sent = sent_by_lm_eval(tasks(style), tokenizers(name), True, rendering.template_arguments)
    assert contexts(rows) == sent
    assert (
        counts["targets"]
        == sum(sent.values())
        == sum(len(item.scored_turns()) for item in sample_conversations()) + 6
    )


@pytest.mark.parametrize("style", ["single", "chat"])
def test_json_is_taught_where_it_is_asked_for(style, tokenizers, tasks):
    """Contexts as the tasks send them, targets that are the object, and its name weighted."""
    tokenizer = tokenizers("qwen3")
    rendering = Rendering(tokenizer, True, tags=True)
    items = [*sample_conversations(), *sample_questions()]
    rows, _ = build_rows(items, rendering, style, 100_000, form="json")
    sent = sent_by_lm_eval(tasks(style, "json"), tokenizer, True, rendering.template_arguments)
    assert contexts(rows) == sent
    golds = {
        json.dumps(
            {"strategy": strategy_name(turn.strategy, item.language), "response": turn.text},
            ensure_ascii=False,
        )
        for item in sample_conversations()
        for turn in map(item.dialogue.__getitem__, item.scored_turns())
    }
    taught = set()
    for row in rows:
        for (start, end), tag in zip(row.targets, row.tags, strict=True):
            target = tokenizer.decode(row.ids[start:end], skip_special_tokens=True).strip()
            if tag:
                taught.add(target.removeprefix("<think>\n\n</think>").strip())
                named = tokenizer.decode(row.ids[start : start + tag])
                assert '{"strategy": "' in named and "response" in named
    assert taught == golds


def test_plain_text_of_a_base_model_too(tokenizers, tasks):
    rows, _ = build_rows(
        [*sample_conversations(), *sample_questions()],
        Rendering(tokenizers(None), False),
        "single",
        100_000,
    )
    assert contexts(rows) == sent_by_lm_eval(tasks("single"), tokenizers(None), False, {})
    assert all(row.ids[0] == tokenizers(None).bos_token_id for row in rows)


@pytest.mark.parametrize(
    ("name", "style"),
    [*((name, style) for name in STOCK for style in ("single", "chat")), (None, "single")],
)
def test_what_is_learned_decodes_to_the_targets(name, style, tokenizers):
    tokenizer = tokenizers(name)
    opening, end = OPENINGS.get(name, ""), ENDS.get(name) or tokenizer.eos_token
    expected, learned = Counter(), Counter()
    for item in [*sample_conversations(), *sample_questions()]:
        for prompt, target in asked_of(item, style):
            space = " " if name is None and prompt.language == "en" else ""
            expected[opening + space + target + end] += 1
        for row in build_rows([item], Rendering(tokenizer, name is not None), style, 100_000)[0]:
            masked = "".join(
                tokenizer.decode([token]) if label == IGNORED else "\0"
                for token, label in zip(row.ids, row.labels, strict=True)
            )
            assert masked.count("\0") == row.learned() and not masked.startswith("\0")
            learned.update(tokenizer.decode(row.ids[start:stop]) for start, stop in row.targets)
    if name == "qwen3_5_think":
        # The exact blank lines are the template's; no thought is in them.
        assert all("<think>" not in text for text in learned)
    elif name == "glm4moe":
        # Its turns end where the next one opens; a reply ends with the end of text.
        assert all(text.endswith("<|endoftext|>") for text in learned)
    else:
        assert learned == expected


@pytest.mark.parametrize("name", STOCK)
def test_rows_are_as_few_as_the_template_allows(name, tokenizers):
    once = [
        item
        for item in sample_conversations()
        if all(turn.strategy for turn in item.dialogue if turn.speaker == "supporter")
    ]
    rows, counts = build_rows(once, Rendering(tokenizers(name), True), "chat", 100_000)
    assert len(rows) == (len(once) if name in PACKS else counts["targets"])
    assert any(
        "renders earlier turns differently" in key and count for key, count in counts.items()
    ) == (name not in PACKS)
    apart, _ = build_rows(once, Rendering(tokenizers(name), True), "chat", 100_000, pack=False)
    assert len(apart) == counts["targets"] and contexts(apart) == contexts(rows)


def test_a_supporter_who_speaks_twice_in_a_row_costs_one_more_row_and_that_is_said(tokenizers):
    strategies = ("", "GT", "IV", "", "RI", "", "AC")
    turns = tuple(
        Turn("supporter" if strategy else "customer", f"text {i}", strategy)
        for i, strategy in enumerate(strategies)
    )
    item = Conversation("twice", "en", "", "", turns)
    rows, counts = build_rows([item], Rendering(tokenizers("qwen2_5"), True), "chat", 100_000)
    assert sorted(len(row.targets) for row in rows) == [2, 2]
    assert (
        counts["rows more than one a conversation, because the supporter speaks twice in a row"]
        == 1
    )


def losses(model, rows):
    """Summed cross-entropy over each row's labels, from plain logits."""
    import torch

    total = 0.0
    for row in rows:
        ids, labels = torch.tensor([row.ids]), torch.tensor(row.labels[1:])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(
            logits, labels, ignore_index=IGNORED, reduction="sum"
        ).item()
    return total


@pytest.mark.parametrize("name", ["qwen2_5", "llama3", "gemma"])
def test_the_packed_loss_is_the_sum_of_the_turns_losses(name, tokenizers, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        save_model(tmp_path, tokenizers(name)), dtype=torch.float64
    ).eval()
    rendering = Rendering(tokenizers(name), True)
    packed, _ = build_rows(sample_conversations(), rendering, "chat", 100_000)
    apart, _ = build_rows(sample_conversations(), rendering, "chat", 100_000, pack=False)
    assert len(packed) < len(apart)
    assert losses(model, packed) == pytest.approx(losses(model, apart), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("qwen2_5", "chat"),
        ("instruct", "chat"),
        ("deepseek_r1_distill", "single"),
        (None, "single"),
    ],
)
def test_the_tokens_that_name_a_strategy_are_known_where_they_are_weighted(name, style, tokenizers):
    tokenizer = tokenizers(name)
    for item in [*sample_conversations(), *sample_questions()]:
        rows, _ = build_rows(
            [item], Rendering(tokenizer, name is not None, tags=True), style, 100_000
        )
        for row in rows:
            weighted = [i for i, weight in enumerate(row.weights(5.0)) if weight == 5]
            named = [
                i
                for (start, _), length in zip(row.targets, row.tags, strict=True)
                for i in range(start, start + length)
            ]
            assert weighted == named
            for (start, end), length in zip(row.targets, row.tags, strict=True):
                said, rest = (
                    tokenizer.decode(row.ids[start : start + length]),
                    tokenizer.decode(row.ids[start + length : end]),
                )
                if item in sample_questions():
                    assert said == ""
                else:
                    # A token that the bracket shares with what follows is left out.
                    assert re.search(r"\[[^\]]{2,}\]?$", said) and "]" not in rest[4:]
    plain, _ = build_rows(
        sample_conversations(), Rendering(tokenizer, name is not None), style, 100_000
    )
    assert not any(any(row.tags) for row in plain)


def long_conversation(turns=30):
    dialogue = tuple(
        (
            Turn("customer", f"question number {i} about my card")
            if i % 2 == 0
            else Turn("supporter", f"answer number {i} for you", "ID")
        )
        for i in range(turns)
    )
    return Conversation("long", "en", "", "", dialogue)


def test_a_long_conversation_becomes_windows_in_which_every_turn_is_learned_once_with_most_context(
    tokenizers,
):
    tokenizer = tokenizers("qwen2_5")
    rendering, item = Rendering(tokenizer, True), long_conversation()
    whole = build_rows([item], rendering, "chat", 100_000)[0][0]
    bare = len(rendering.exchanges(asked_of(item, "chat")[:1])[0])
    limit = bare + (len(whole.ids) - bare) // 3
    rows, counts = build_rows([item], rendering, "chat", limit)
    assert len(rows) > 2 and all(len(row.ids) <= limit for row in rows)
    learned = [tokenizer.decode(row.ids[start:end]) for row in rows for start, end in row.targets]
    assert learned == [target + "<|im_end|>" for _, target in asked_of(item, "chat")]
    assert counts["further windows of conversations over the length"] == len(rows) - 1
    assert counts["targets with oldest turns left out"] == sum(len(row.targets) for row in rows[1:])
    prompts = [TurnPrompt(item, turn, "chat") for turn in item.scored_turns()]
    drops = []
    for row in rows:
        # Each context is the evaluation prompt with some number of oldest turns left out: found
        # here by trying them all.
        for start, _ in row.targets:
            pair = [(prompts[len(drops)], "")]
            drops.append(
                next(
                    n
                    for n in range(pair[0][0].turn + 1)
                    if rendering.exchanges(pair, n)[0].prompt == row.ids[:start]
                )
            )
    assert drops == sorted(drops) and drops[0] == 0
    for turn, drop in enumerate(drops):
        # No other window would have shown more: those with fewer turns left out have no room for
        # this turn.
        for other in {n for n in drops if n < drop}:
            assert len(rendering.exchanges([asked_of(item, "chat")[turn]], other)[0]) > limit
    # Windows overlap: every further one opens with turns that an earlier one learned.
    firsts = [sum(len(row.targets) for row in rows[:k]) for k in range(1, len(rows))]
    assert all(drops[first] < item.scored_turns()[first] for first in firsts)


def test_a_single_row_over_the_length_loses_as_few_oldest_turns_as_possible(tokenizers):
    rendering, item = Rendering(tokenizers("llama3"), True), long_conversation()
    full = rendering.exchanges(asked_of(item, "single"))
    limit = len(full[len(full) // 2])
    rows, counts = build_rows([item], rendering, "single", limit)
    assert (
        counts["targets with oldest turns left out"]
        == sum(len(exchange) > limit for exchange in full)
        > 0
    )
    for row, pair in zip(rows, asked_of(item, "single"), strict=True):
        ((start, end),) = row.targets
        assert end == len(row.ids) <= limit
        drop = next(
            n for n in range(30) if rendering.exchanges([pair], n)[0].prompt == row.ids[:start]
        )
        assert drop == 0 or len(rendering.exchanges([pair], drop - 1)[0]) > limit


def test_a_turn_that_never_fits_is_an_error_that_names_it_or_is_counted(tokenizers):
    rendering = Rendering(tokenizers("qwen2_5"), True)
    item, *_ = sample_conversations(("en",))
    with pytest.raises(
        TooLong,
        match=(
            rf"{item.conversation_id} turn 1: instructions and reply alone take \d+ tokens and"
            r" max_length is 40"
        ),
    ):
        build_rows([item], rendering, "chat", 40)
    with pytest.raises(DataError, match="every label would be masked"):
        build_rows([item], rendering, "chat", 40, skip_too_long=True)
    question = sample_questions()[0]
    room = len(rendering.exchanges(asked_of(question, "single"))[0])
    rows, counts = build_rows(
        [question, replace(question, client_question="why? " * 300)],
        rendering,
        "single",
        room,
        skip_too_long=True,
    )
    assert len(rows) == 1 and counts["targets left out, because they never fit"] == 1


def test_thinking_in_the_data_is_never_learned(tokenizers):
    said = (
        Turn("customer", "hi"),
        Turn("supporter", "<think>greet first</think>Hello!", "GT"),
        Turn("customer", "so?"),
        Turn("supporter", "<think>", "AC"),
    )
    rows, counts = build_rows(
        [Conversation("x", "en", "", "", said)],
        Rendering(tokenizers("qwen3"), True),
        "single",
        100_000,
    )
    assert [
        tokenizers("qwen3").decode(row.ids[start:end]) for row in rows for start, end in row.targets
    ] == ["[Greeting] Hello!<|im_end|>"]
    assert counts["targets left out, because nothing but thinking is in them"] == 1


def test_chat_style_without_a_chat_template_is_refused(tokenizers):
    with pytest.raises(ModelError, match="no chat template"):
        Rendering(tokenizers(None), True)


def test_a_question_is_taught_with_the_refined_answer_or_the_one_that_is_asked_for(tokenizers):
    question = sample_questions()[1]
    assert asked_of(question, "single") == [
        (AnswerPrompt(question, "single"), question.refined_agent_answer)
    ]
    assert asked_of(question, "single", "agent_answer")[0][1] == question.agent_answer
    assert (
        asked_of(replace(question, refined_agent_answer=" "), "single")[0][1]
        == question.agent_answer
    )


def test_what_is_learned_where_raters_disagree_is_counted(tokenizers):
    """The turn's strategy, whatever the raters say; turns of one rater are not among them."""
    names = (("GT", "GT"), ("EM", "PS"), ("AC", "AC"), ("ID", "RI"), ("PR",), ())
    strategies = ("GT", "EM", "RC", "FR", "PR", "ID")
    dialogue = [
        Turn(
            "supporter",
            f"Said {i}.",
            strategy,
            tuple(Label(f"rater {n}", (first,)) for n, first in enumerate(firsts)),
        )
        for i, (strategy, firsts) in enumerate(zip(strategies, names, strict=True))
    ]
    item = Conversation("labelled", "en", "", "", tuple(dialogue))
    tokenizer = tokenizers("qwen2_5")
    rows, counts = build_rows([item], Rendering(tokenizer, True), "single", 100_000)
    learned = [tokenizer.decode(row.ids[start:end]) for row in rows for start, end in row.targets]
    assert [text.partition("]")[0][1:] for text in learned] == [
        strategy_name(strategy, "en") for strategy in strategies
    ]
    assert {name: n for name, n in counts.items() if "of these" in name or "raters" in name} == {
        "supporter turns with labels of several raters": 4,
        "of these on which raters disagree": 2,
        "of these learned with the earliest strategy of a tie": 1,
        "of these learned with another strategy than most raters name first": 2,
    }
