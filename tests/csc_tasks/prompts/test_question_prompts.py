"""Prompts of questions: the context they show, passages, instructions of a row."""

import pytest

from csc_tasks.languages import language as language_of
from csc_tasks.languages import languages
from csc_tasks.prompts import AnswerPrompt
from tests.support.made_prompts import (
    CONTEXTS,
    LANGUAGES,
    PASSAGES,
    STYLES,
    WORDS,
    english,
    everything,
    mentioned,
    question,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_question_shows_its_context_and_no_other(language, style):
    words = WORDS[language]
    shown = {"summary": [], "full": list(range(6)), "last": [2, 3, 4, 5], "none": []}
    for context in CONTEXTS:
        prompt = AnswerPrompt(question(language), style, context)
        messages = prompt.messages()
        text = everything(messages)
        assert mentioned(text) == shown[context]
        assert ("the summary" in text) == (context == "summary")
        assert text.count("the question?") == 1 and "gold" not in text
        assert prompt.plain(messages).endswith(words.QA_TAIL)
        assert prompt.droppable() == len(shown[context])
        assert [message["role"] for message in messages] == (
            ["user"] if style == "single" else ["system", "user"]
        )
        for drop in range(prompt.droppable() + 1):
            left = everything(prompt.messages(drop))
            assert mentioned(left) == shown[context][drop:]
            assert words.QA_INSTRUCTION in left and "the question?" in left


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_without_context_says_so(language):
    words = WORDS[language]
    assert words.QA_NOTHING in everything(
        AnswerPrompt(question(language, history_summary=" \n")).messages()
    )
    for context in ("full", "last"):
        assert words.QA_NOTHING in everything(
            AnswerPrompt(question(language, turns=0), "single", context).messages()
        )
    assert words.QA_NOTHING not in everything(
        AnswerPrompt(question(language, turns=0), "single", "none").messages()
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_passages_stand_before_the_summary_the_best_first_and_the_last_goes_first(language, style):
    words, passages = WORDS[language], PASSAGES[language]
    prompt = AnswerPrompt(question(language), style, "grounded", passages)
    assert prompt.droppable() == 2
    for drop in range(3):
        text = everything(prompt.messages(drop))
        left = [*passages[: 2 - drop]]
        assert [one for one in passages if one in text] == left == list(prompt.shown(drop))
        lines = [f"[{number}] {one}" for number, one in enumerate(left, 1)] or [words.QA_NOTHING]
        assert "\n".join([words.QA_PASSAGES, *lines]) in text
        assert (
            text.index(words.QA_PASSAGES) < text.index("the summary") < text.index("the question?")
        )
        assert "gold" not in text


@pytest.mark.parametrize("code", languages())
def test_without_passages_a_grounded_prompt_differs_by_their_part_alone(code):
    """In every language: csc_qa and cscx_qa_grounded ask the same, but for the passages."""
    words = language_of(code).words
    for style in STYLES:
        plain = everything(AnswerPrompt(question(code), style).messages())
        grounded = everything(AnswerPrompt(question(code), style, "grounded", ("x y",)).messages())
        assert grounded.replace(f"{words.QA_PASSAGES}\n[1] x y\n\n", "") == plain


def test_a_rows_own_instruction_is_used():
    for style in STYLES:
        first = AnswerPrompt(question(instruction=" You are Ann of ACME. "), style).messages()[0][
            "content"
        ]
        assert first.startswith("You are Ann of ACME.") and english.QA_INSTRUCTION not in first


def test_a_short_history_is_its_own_last_four_turns():
    for turns in range(6):
        text = everything(AnswerPrompt(question(turns=turns), "single", "last").messages())
        assert mentioned(text) == list(range(turns))[-4:]
