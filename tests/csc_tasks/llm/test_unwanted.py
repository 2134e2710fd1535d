"""What no reply may hold: refusals, control characters, placeholders, more than was asked for."""

import pytest

from csc_tasks.languages import languages
from csc_tasks.llm.accepted import SCHEMA_BOUNDS, Accepted
from csc_tasks.llm.exchange import Request
from csc_tasks.llm.replies import LONGEST_REPLY, WrongForm, check_text, parse_reply, reply_schema
from csc_tasks.llm.replies import without_bounds as bare
from csc_tasks.llm.reply_form import LONGEST_TEXT, Content, Form, Text
from csc_tasks.llm.unwanted import control_character, loop, placeholders, refusal, second_person


@pytest.mark.parametrize(
    "text",
    [
        "I’m sorry, but I can’t assist with that.",
        "As an AI language model, I have no orders.",
        "I cannot create this conversation.",
        "抱歉，我无法协助这个请求。",
        "作为一个AI语言模型，我没有账户。",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Es tut mir leid, aber ich kann dabei nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider avec cette demande.",
        "Sinto muito, mas não posso ajudar com isso.",
        "申し訳ありませんが、そのリクエストにはお応えできません。",
        "죄송하지만 해당 요청을 수행할 수 없습니다.",
    ],
)
def test_a_refusal_is_known_in_every_language(text):
    assert refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't refund an order that has been used.",
        "I'm sorry, I can't help with that account until you tell me your PIN.",
        "抱歉，我无法满足您的退款要求，因为已经超过七天。",
        "Lo siento, no puedo ayudarle con un pedido de otra tienda.",
        "Es tut mir leid, ich kann Ihnen den Betrag nicht erstatten.",
    ],
)
def test_a_supporter_who_cannot_do_something_is_no_refusal(text):
    assert not refusal(text)


LIE = "I'm just happy to help you tell a lie, but I'm not happy to tell you a lie, "


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        (f"You are a good friend. {LIE * 4}I", LIE.strip()),
        ("I am fine. " + "yes " * 8, "yes"),
        ("请您稍等，我马上为您查询。" * 4, "请您稍等，我马上为您查询。"),
        ("How? " + "The bank, the bank, " * 4 + "and so on", "The bank, the bank,"),
    ],
)
def test_a_text_that_goes_round_in_circles(text, piece):
    assert loop(text) == piece


@pytest.mark.parametrize(
    "text",
    [
        LIE * 3,
        "Thank you very much. Thank you very much. Thank you very much.",
        "Ha ha ha ha! No, no, no, no. Please, please, please.",
        "Your card ends with **** **** **** **** **** **** **** **** 1234. ----------------------",
        "好的好的好的，谢谢谢谢。",
        "You said you would call, you said you would write, you said you would come back to me.",
        "",
    ],
)
def test_what_people_say_more_than_once_is_no_loop(text):
    assert not loop(text)


def test_looking_for_a_loop_costs_one_pass(steps):
    short, long = (" ".join(str(number) for number in range(most)) for most in (100, 1000))
    # The seventeen-fold text; each character is a few lines.
    assert steps(loop, long) < 20 * steps(loop, short)


def test_a_reply_in_circles_is_malformed_and_says_so():
    class Said(Form):
        reply: Content

    with pytest.raises(WrongForm, match=r"reply: .*says the same over and over \('I can help"):
        parse_reply('{"reply": "' + "I can help you with that. " * 5 + '"}', Said)


@pytest.mark.parametrize(
    ("text", "whole", "addressed"),
    [
        ("This is [Your Name] from [Company Name].", ["[Your Name]", "[Company Name]"], 1),
        ("我是客服[姓名]，【您的姓名】", ["[姓名]", "【您的姓名】"], 1),
        ("Call {{phone_number}} or <email>", ["{{phone_number}}", "<email>"], 0),
        ("Soy [Nombre del agente]", ["[Nombre del agente]"], 0),
        ("Click [My Account], then 【我的订单】 and [OK]; 3 < 4 > 2", [], 0),
    ],
)
def test_placeholders(text, whole, addressed):
    assert placeholders(text) == whole
    assert len(placeholders(text, addressed_only=True)) == addressed


def test_control_characters():
    assert control_character("tab\t, line\n, 好，é, 👍🏽, a\u200db") == ""
    assert control_character("bell\x07") == "U+0007"
    assert control_character("\ufffd") == "U+FFFD" and control_character("\x9b") == "U+009B"


class Both(Form):
    plain: Text
    told: Content


@pytest.mark.parametrize(
    ("plain", "told", "problem"),
    [
        ("a\\u0007", "b", "plain: Value error, holds the control character U.0007"),
        ("a", "As an AI I", "told: Value error, declines instead"),
        ("a" * (LONGEST_TEXT + 1), "b", "plain: String should have at most 2000 characters"),
    ],
)
def test_texts_of_forms_are_checked(plain, told, problem):
    with pytest.raises(WrongForm, match=problem):
        parse_reply(f'{{"plain": "{plain}", "told": "{told}"}}', Both)
    # A quotation may hold what nobody should write.
    assert parse_reply('{"plain": "As an AI", "told": "b"}', Both).plain == "As an AI"


def test_a_reply_beyond_all_bounds_is_not_read():
    with pytest.raises(WrongForm, match="the reply has 200,001 characters, 200,000 are read"):
        check_text("x" * (LONGEST_REPLY + 1))
    assert check_text("x" * LONGEST_REPLY)


@pytest.mark.parametrize(
    ("code", "text", "word"),
    [
        ("en", "You are a nurse.", "You"),
        ("en", "A nurse; yourself included.", "yourself"),
        ("zh", "您是一位护士。", "您"),
        ("zh", "护士，你今年三十岁。", "你"),
        ("zh", "You are a nurse.", "You"),
        ("es", "Eres enfermera.", "Eres"),
        ("es", "Enfermera; usted vive en Cádiz.", "usted"),
        ("de", "Sie wohnen in Bremen und sind Pfleger.", "Sie wohnen"),
        ("de", "Pflegerin, und dein Konto ist leer.", "dein"),
        ("fr", "Vous êtes infirmière.", "Vous"),
        ("pt", "Você é enfermeira.", "Você"),
        ("ja", "あなたは看護師です。", "あなた"),
        ("ko", "당신은 간호사입니다.", "당신"),
    ],
)
def test_what_speaks_to_its_reader_is_known_in_every_language(code, text, word):
    assert second_person(text, code) == word


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "A nurse from York who always says thank you."),
        ("en", 'She is asked "are you well?" and “your name?” too often.'),
        ("en", "The youngest of four; Youssef by name."),
        ("zh", "这位客户每次都先说您好。"),
        ("zh", "她常对客服说“你们太慢了”。"),
        ("es", "Trabaja en TI y prefiere que la traten de usted."),
        ("de", "Sie wohnt in Bremen und ist mit den meisten per du."),
        ("fr", "Elle prend rendez-vous et parle d'un ton calme."),
        ("pt", "Ela mora no Porto e fala com calma."),
        ("ja", "田中君は看護師で、落ち着いて話す。"),
        ("ko", "간호사이며 동네가 조용하고 있는 그대로 말한다."),
    ],
)
def test_what_speaks_of_somebody_is_left_alone(code, text):
    assert second_person(text, code) == ""


def test_every_language_has_its_words_for_you():
    assert all(one.asking and one.asking.second_person for one in languages().values())


def test_bounds_stand_in_the_schema_until_a_server_refuses_them():
    schema = reply_schema(Both)
    assert schema["properties"]["plain"]["maxLength"] == LONGEST_TEXT
    request = Request("s", "i", 0, 0, [], schema)
    accepted = Accepted("m")

    def sent():
        return accepted.body("m", request)

    error = {
        "message": "Invalid schema for response_format 'Both': In context=('properties',"
        " 'plain'), 'maxLength' is not permitted."
    }
    first = sent()
    assert accepted.learn(400, error, first, request) == SCHEMA_BOUNDS
    asked = sent()["response_format"]["json_schema"]
    assert asked["schema"] == bare(schema) and "maxLength" not in str(asked)
    # Another that was out at the same time is only sent again.
    assert accepted.learn(400, error, first, request) == SCHEMA_BOUNDS
    assert accepted.left_out() == [SCHEMA_BOUNDS]
    # Without bounds there is nothing left but another form.
    assert accepted.learn(400, error, sent(), request) == "json_schema"


def test_a_field_may_be_called_as_a_bound_is():
    schema = {"properties": {"maxItems": {"type": "array", "maxItems": 3}}, "maxItems": 1}
    assert bare(schema) == {"properties": {"maxItems": {"type": "array"}}}
