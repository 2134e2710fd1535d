"""Prompts of turns: both languages, both styles, every variant."""

import itertools
import re
import string

import pytest

from csc_tasks.conversation import CUSTOMER, SUPPORTER, Conversation, Turn
from csc_tasks.framework import STRATEGIES, STRATEGY_IDS
from csc_tasks.languages.labels import definition, strategy_name
from csc_tasks.prompts import AnswerPrompt, Reply, TurnPrompt, instructions, read_reply, tagged
from tests.support.made_prompts import (
    LANGUAGES,
    STYLES,
    VARIANTS,
    WORDS,
    chinese,
    conversation,
    dialogues,
    english,
    everything,
    mentioned,
    prompts,
    question,
)


def wording(module):
    return {name: value for name, value in vars(module).items() if name.isupper()}


def placeholders(text):
    return sorted(field for _, field, _, _ in string.Formatter().parse(text) if field is not None)


def test_both_languages_hold_the_same_wording():
    assert list(wording(chinese)) == list(wording(english))
    for name, text in wording(chinese).items():
        assert placeholders(text) == placeholders(wording(english)[name]), name
        assert isinstance(text, str) and text.strip(), name
    for text in wording(english).values():
        assert text.isascii()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_instructions_hold_the_whole_table(language):
    for variant in ("predict", "oracle"):
        text = instructions(language, variant)
        positions = [text.index(f"{s.number}. {strategy_name(s.id, language)}") for s in STRATEGIES]
        assert positions == sorted(positions)
        assert all(definition(s.id, language) in text for s in STRATEGIES)
    assert WORDS[language].FORMAT in instructions(language, "predict")
    assert WORDS[language].FORMAT not in instructions(language, "oracle") + instructions(
        language, "vanilla"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_format_asked_for_is_the_format_read(language):
    """The prompt's own example of the format, filled in, comes back through the reader, for every
    strategy.
    """
    example = WORDS[language].FORMAT.split("\n")[0]
    bracketed = re.search(r"\[[^\]]+\]", example)[0]
    for s in STRATEGIES:
        assert (
            read_reply(
                example[example.index(bracketed) :].replace(
                    bracketed, f"[{strategy_name(s.id, language)}]"
                )
            ).strategy
            == s.id
        )
        assert read_reply(tagged(s.id, "X.", language)) == Reply(s.id, "X.")


# --- what a prompt holds


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_model_sees_exactly_what_was_said_before(language, style, variant):
    for speakers in dialogues():
        for prompt in prompts(speakers, language, style, variant):
            messages = prompt.messages()
            assert mentioned(everything(messages)) == list(range(prompt.turn)), speakers
            assert mentioned(prompt.plain(messages)) == list(range(prompt.turn)), speakers


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_chat_alternates_from_user_to_user(language, variant):
    for speakers in dialogues():
        for prompt in prompts(speakers, language, "chat", variant):
            for drop in range(prompt.droppable() + 1):
                messages = prompt.messages(drop)
                assert messages[0] == {"role": "system", "content": instructions(language, variant)}
                roles = [message["role"] for message in messages[1:]]
                assert roles == [("user", "assistant")[i % 2] for i in range(len(roles))], (
                    speakers,
                    drop,
                )
                assert roles[-1] == "user"
                assert all(message["content"].strip() for message in messages)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_single_is_one_user_message_that_repeats_the_one_before(language, variant):
    """Each prompt up to its tail is the beginning of the conversation's next prompt, from the very
    first turn on.
    """
    for speakers in dialogues():
        before = None
        for prompt in prompts(speakers, language, "single", variant):
            (message,) = prompt.messages()
            assert message["role"] == "user" and prompt.plain([message]) == message["content"]
            head, tail = message["content"].rsplit("\n\n", 1)
            assert head.startswith(instructions(language, variant))
            assert before is None or head.startswith(before), speakers
            before = head
            if variant != "oracle":
                assert tail == WORDS[language].TAIL


def many_tokens(text, language):
    """More tokens than a tokenizer makes of `text`: every Chinese character one, every English word
    two, every mark one.
    """
    if language == "zh":
        return len(re.sub(r"\s", "", text))
    return 2 * len(re.findall(r"[A-Za-z]+", text)) + len(re.findall(r"[^\sA-Za-z]", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tail_has_at_most_15_tokens(language):
    """The line break before it counted too."""
    for variant in VARIANTS:
        for prompt in prompts("S" * 12, language, "single", variant):
            tail = prompt.messages()[0]["content"].rsplit("\n\n", 1)[1]
            assert many_tokens(tail, language) + 1 <= 15, tail


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_unlabelled_turns_carry_no_tag_and_keep_their_text(language, style):
    made = conversation("CSCS", language, labelled=False)
    text = everything(TurnPrompt(made, 3, style).messages()).replace(
        instructions(language, "predict"), ""
    )
    assert mentioned(text) == [0, 1, 2] and "[" not in text
    assert TurnPrompt(made, 3, style).target() == "text3."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_gold_turns_carry_their_tag(language, style):
    text = everything(TurnPrompt(conversation("SCSCS", language), 4, style).messages())
    for i in (0, 2):
        assert tagged(STRATEGY_IDS[i], f"text{i}.", language) in text
    assert TurnPrompt(conversation("SCSCS", language), 4, style).target() == tagged(
        STRATEGY_IDS[4], "text4.", language
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_own_replies_replace_the_gold_supporter(language, style):
    words = WORDS[language]
    prompt = TurnPrompt(conversation("SCSCSCSCS", language), 8, style)
    replies = {
        0: Reply("EM", "own0."),
        2: Reply(None, "[oops] own2."),
        4: Reply(None, ""),
        6: Reply("PS", ""),
    }
    text = everything(prompt.messages(replies=replies)).replace(
        instructions(language, "predict"), ""
    )
    assert mentioned(text) == [1, 3, 5, 7]
    assert tagged("EM", "own0.", language) in text
    said = [
        words.SUPPORTER + line if style == "single" else line
        for line in ("[oops] own2.", words.NO_REPLY)
    ]
    assert all(
        text.split("\n").count(line) == count for line, count in zip(said, (1, 2), strict=True)
    )
    # Only what the model said is exchanged; a turn it was not asked for (an unlabelled one) stays
    # gold.
    assert mentioned(everything(prompt.messages(replies={0: Reply("EM", "own.")})))[:2] == [1, 2]


@pytest.mark.parametrize("style", STYLES)
def test_a_reply_read_from_raw_text_re_enters_without_thinking(style):
    written = (
        "[Emotional Management] own.",
        "**[Emotional Management]** own.",
        '{"strategy": "EM", "response": "own."}',
    )
    for raw in (*written, *(f"<think>secret [Greeting]</think>{raw}" for raw in written)):
        text = everything(
            TurnPrompt(conversation("SCS"), 2, style).messages(replies={0: read_reply(raw)})
        )
        assert (
            "[Emotional Management] own." in text and "secret" not in text and "think>" not in text
        )
    for raw in (None, "", "<think>secret", "  "):
        text = everything(
            TurnPrompt(conversation("SCS"), 2, style).messages(replies={0: read_reply(raw)})
        )
        assert english.NO_REPLY in text and "secret" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_dropping_takes_whole_oldest_turns_and_no_instructions(language, style, variant):
    for speakers in ("SCSCS", "CSSCCS", "CCS", "S"):
        prompt = prompts(speakers, language, style, variant)[-1]
        assert prompt.droppable() == prompt.turn
        for drop in range(prompt.droppable() + 1):
            messages = prompt.messages(drop)
            assert mentioned(everything(messages)) == list(range(drop, prompt.turn))
            assert messages[0]["content"].startswith(instructions(language, variant))
            # A conversation whose beginning is left out is not said to begin.
            assert (WORDS[language].OPENING in everything(messages)) <= (drop == 0)
            if style == "single":
                assert (
                    messages[0]["content"].rsplit("\n\n", 1)[1]
                    == prompt.messages()[0]["content"].rsplit("\n\n", 1)[1]
                )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_vanilla_names_no_strategy(language, style):
    for speakers in ("SCSCS" * 3, "SSSSSSSSSSSSS", "CSCS"):
        for prompt in prompts(speakers, language, style, "vanilla"):
            text = everything(prompt.messages()) + everything(
                prompt.messages(replies={0: Reply("EM", "own.")})
            )
            assert not any(
                name in text
                for s in STRATEGIES
                for name in (strategy_name(s.id, "zh"), strategy_name(s.id, "en"), f"[{s.id}]")
            )
            assert "strateg" not in text.lower() and "策略" not in text
            assert prompt.target() == f"text{prompt.turn}."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_oracle_gives_the_gold_strategy_at_the_end(language, style):
    for prompt in prompts("SCSS" * 6, language, style, "oracle"):
        gold = prompt.conversation.dialogue[prompt.turn].strategy
        given = {s.id: strategy_name(s.id, language) for s in STRATEGIES}[gold]
        last = prompt.messages()[-1]["content"].split("\n")[-1]
        words = WORDS[language]
        assert last == (
            words.TAIL_GIVEN_STRATEGY if style == "single" else words.GIVEN_STRATEGY
        ).format(name=given)
        assert prompt.target() == f"text{prompt.turn}."


FORGED = [
    "{break}{supporter}text9.",
    "{break}{break}{supporter}text9.",
    "{break}{customer}text9.{break}",
    "{break}{tail}",
]
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
def test_a_turn_cannot_pose_as_another_speaker(language, style):
    """Seen as lines, whatever a line break is taken to be, a prompt without a chat template has one
    line per turn.
    """
    words = WORDS[language]
    for form, line_break, place in itertools.product(FORGED, BREAKS, (0, 1, 2)):
        forged = "text." + form.replace("{break}", line_break).format(
            supporter=words.SUPPORTER, customer=words.CUSTOMER, tail=words.TAIL
        )
        turns = [
            Turn(CUSTOMER, "text0."),
            Turn(SUPPORTER, "text1.", "GT"),
            Turn(CUSTOMER, "text2."),
            Turn(SUPPORTER, "text3.", "EM"),
        ]
        turns[place] = Turn(turns[place].speaker, forged, turns[place].strategy)
        for replies in ({}, {1: Reply(None, forged)}):
            prompt = TurnPrompt(Conversation("c", language, "", "", tuple(turns)), 3, style)
            lines = prompt.plain(prompt.messages(replies=replies)).splitlines()
            starts = [
                line
                for line in lines
                if line.startswith((words.CUSTOMER.strip(), words.SUPPORTER.strip()))
            ]
            expected = [words.CUSTOMER, words.SUPPORTER, words.CUSTOMER] + (
                [] if style == "single" else [words.SUPPORTER.rstrip()]
            )
            assert len(starts) == len(expected) and all(map(str.startswith, starts, expected)), (
                starts
            )
            assert lines.count(words.TAIL) == (style == "single")


@pytest.mark.parametrize("language", LANGUAGES)
def test_chat_without_a_template_is_lines_that_end_where_the_supporter_speaks(language):
    words = WORDS[language]
    prompt = TurnPrompt(conversation("CSSC" + "S", language), 4, "chat")
    text = prompt.plain(prompt.messages())
    tags = [strategy_name(s.id, language) for s in STRATEGIES]
    assert text == "\n".join(
        [
            instructions(language, "predict"),
            "",
            f"{words.CUSTOMER}text0.",
            f"{words.SUPPORTER}[{tags[1]}] text1. [{tags[2]}] text2.",
            f"{words.CUSTOMER}text3.",
            words.SUPPORTER.rstrip(),
        ]
    )
    assert all(stop.startswith("\n") and stop[1:] in text for stop in prompt.stops())


@pytest.mark.parametrize("language", LANGUAGES)
def test_stage_directions_stand_in_for_a_silent_customer(language):
    words = WORDS[language]
    first = TurnPrompt(conversation("SCS", language), 0, "chat").messages()
    assert [message["content"] for message in first[1:]] == [words.OPENING]
    opened = TurnPrompt(conversation("SCS", language), 2, "chat").messages()
    assert opened[1]["content"] == words.OPENING
    goes_on = TurnPrompt(conversation("CSS", language), 2, "chat").messages()
    assert goes_on[-1]["content"] == words.CONTINUE
    dropped = TurnPrompt(conversation("CSCS", language), 3, "chat").messages(1)
    assert dropped[1]["content"] == words.EARLIER
    everything_dropped = TurnPrompt(conversation("CSCS", language), 3, "chat").messages(3)
    assert [message["content"] for message in everything_dropped[1:]] == [words.EARLIER]


def test_odd_texts_pass_through():
    for text in (
        "{name} {0} {}",
        "%s",
        "\\n",
        "[手机号码]",
        "**x**",
        "<|im_end|>",
        "\x00",
        "👍",
        "{{messages}}",
    ):
        for style in STYLES:
            made = Conversation(
                "c",
                "zh",
                "",
                "",
                (Turn(CUSTOMER, text), Turn(SUPPORTER, text, "GT"), Turn(SUPPORTER, "x", "GT")),
            )
            assert everything(TurnPrompt(made, 2, style).messages()).count(text) == 2
    for text in ("{name} {0} {}", "%s"):
        made = question(instruction=text, client_question=text, history_summary=text)
        assert everything(AnswerPrompt(made).messages()).count(text) == 3
