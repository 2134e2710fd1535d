"""The tiny stand-in: it learns, its prompts are the tasks' own, and only the supporter's targets
are learned.
"""

import json
import re
from dataclasses import replace

import pytest

from csc_tasks import corpora
from csc_tasks.errors import DataError, SettingError
from csc_tasks.prompts import TurnPrompt
from tests.support.fakes import sample_conversations, sample_questions, write_corpus
from trainers.tiny import read_corpus, train_tiny
from trainers.tiny_model import Shape
from trainers.tiny_text import END, encode, examples_of, prompts_of, train_tokenizer

SMALL = Shape(
    vocabulary=600,
    hidden=32,
    layers=1,
    heads=2,
    key_value_heads=1,
    feed_forward=64,
    batch_tokens=800,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Five conversations and six questions as training rows; the test split would be noticed if it
    were read.
    """
    root = write_corpus(tmp_path_factory.mktemp("corpus"), train=sample_conversations())
    (root / "qa" / "test.jsonl").rename(root / "qa" / "train.jsonl")
    (root / "csconv" / "test.jsonl").write_text("this is never read\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(
        [*sample_conversations(), *sample_questions()], SMALL.vocabulary, SMALL.positions
    )


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "tiny"
    return out, train_tiny(str(corpus), out, epochs=20, shape=SMALL)


def test_it_learns_and_loads_like_any_model(trained):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out, record = trained
    assert record["loss_last"] < 0.9 * record["loss_first"]
    tokenizer, model = AutoTokenizer.from_pretrained(out), AutoModelForCausalLM.from_pretrained(out)
    text = "您好 [情感管理] hello there <|im_end|>"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.convert_tokens_to_ids("[情感管理]") == tokenizer("[情感管理]")["input_ids"][0]
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_tensors="pt"
    )
    ids = prompt["input_ids"] if hasattr(prompt, "keys") else prompt
    with torch.no_grad():
        assert model.generate(ids, max_new_tokens=4, do_sample=False).shape[1] > ids.shape[1]
    assert model.num_parameters() == record["parameters"]
    assert "stand-in" in (out / "README.md").read_text(encoding="utf-8")


def test_only_train_splits_are_read(trained, corpus):
    assert {(part["config"], part["split"]) for part in trained[1]["corpus"]} == {
        ("csconv", "train"),
        ("qa", "train"),
    }
    assert {split.split for split in read_corpus("demo")} == {"train"}
    with pytest.raises(DataError, match="which split it holds"):
        read_corpus(str(corpus / "csconv" / "train.jsonl"))


def test_a_corpus_without_a_train_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="has a train split"):
        read_corpus(str(write_corpus(tmp_path)))


def test_learned_tokens_are_exactly_the_targets(tokenizer):
    from collections import Counter

    for item in [*sample_conversations(), *sample_questions()]:
        learned = []
        for example in examples_of(item, tokenizer, SMALL.positions, Counter()):
            encoded = encode(example, tokenizer)
            for i, (token, wanted) in enumerate(zip(encoded.ids, encoded.learned, strict=True)):
                if wanted and not (i and encoded.learned[i - 1]):
                    learned.append([])
                if wanted:
                    learned[-1].append(token)
        # Neighbouring targets cannot run together: a prompt part always stands between them.
        assert sorted(tokenizer.decode(span) for span in learned) == sorted(
            target + END for _, target in prompts_of(item)
        )


def test_every_targets_context_is_the_evaluation_prompt(tokenizer):
    from collections import Counter

    for conversation in sample_conversations():
        texts = [
            example.text
            for example in examples_of(conversation, tokenizer, SMALL.positions, Counter())
        ]
        for turn in conversation.scored_turns():
            prompt = TurnPrompt(conversation, turn, "chat")
            asked = tokenizer.apply_chat_template(
                prompt.messages(), tokenize=False, add_generation_prompt=True
            )
            assert any(text.startswith(asked + prompt.target() + END) for text in texts)


def test_a_conversation_too_long_for_the_model_loses_oldest_turns_and_is_counted(tokenizer):
    from collections import Counter

    conversation = sample_conversations(("en",))[0]
    whole = len(
        tokenizer(next(examples_of(conversation, tokenizer, 10_000, Counter())).text)["input_ids"]
    )
    counts = Counter()
    list(examples_of(conversation, tokenizer, whole + 256 - 60, counts))
    assert counts["targets with oldest turns left out"] > 0
    assert counts["targets"] == len(conversation.scored_turns())
    counts = Counter()
    assert list(examples_of(conversation, tokenizer, 300, counts)) == []
    assert counts["targets left out, because their prompts are too long for the model"] == len(
        conversation.scored_turns()
    )


def test_the_same_seed_gives_the_same_weights(trained, corpus, tmp_path):
    again = train_tiny(str(corpus), tmp_path / "again", epochs=20, shape=SMALL)
    other = train_tiny(str(corpus), tmp_path / "other", seed=1, epochs=1, shape=SMALL)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        trained[0] / "model.safetensors"
    ).read_bytes()
    assert (
        again["loss_last"] == trained[1]["loss_last"] and other["loss_first"] != again["loss_first"]
    )


def test_a_base_without_strategies_never_sees_one(corpus, tokenizer, tmp_path):
    from collections import Counter

    for conversation in sample_conversations():
        for example in examples_of(conversation, tokenizer, SMALL.positions, Counter(), "vanilla"):
            assert not re.search(r"\[[A-Z]|\[[\u4e00-\u9fff]|Greeting|礼貌问候", example.text)
    record = train_tiny(
        str(corpus),
        tmp_path / "base",
        epochs=0.1,
        shape=replace(SMALL, tied=False),
        strategies=False,
    )
    assert record["strategies"] is False
    assert (
        json.loads((tmp_path / "base" / "config.json").read_text())["tie_word_embeddings"] is False
    )


def test_a_foreign_folder_is_refused_and_our_own_replaced(trained, corpus, tmp_path):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(SettingError, match="not a model that csc train tiny wrote"):
        train_tiny(str(corpus), foreign, epochs=1, shape=SMALL)
    assert (foreign / "thesis.tex").read_text(encoding="utf-8") == "years of work"
    out = tmp_path / "own"
    for seed in (0, 1):
        train_tiny(str(corpus), out, seed=seed, epochs=0.1, shape=SMALL)
    assert json.loads((out / "tiny.json").read_text(encoding="utf-8"))["seed"] == 1
    (out / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(SettingError, match=r"notes\.txt"):
        train_tiny(str(corpus), out, epochs=0.1, shape=SMALL)


def test_the_demo_has_no_test_conversation_among_its_training_ones():
    train = {
        item.conversation_id
        for config in ("rolecs", "qa")
        for item in corpora.load("demo", config, "train").items
    }
    test = {
        item.conversation_id
        for config in ("csconv", "qa")
        for item in corpora.load("demo", config, "test").items
    }
    assert not train & test
