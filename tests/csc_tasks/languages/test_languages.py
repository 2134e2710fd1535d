"""Languages as folders: what is read, how a language is told, what is refused, and a toy language
from a corpus to a table.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from csc_tasks import corpora
from csc_tasks.errors import DataError, SettingError
from csc_tasks.languages import SHIPPED, detect, labels, language, languages, read
from csc_tasks.metrics import METRICS, overlap, segment
from csc_tasks.prompts import read_reply, reply

REVIEWED = ["zh", "en", "es"]
DRAFTS = ["de", "fr", "ja", "ko", "pt"]
CACHED = (
    languages,
    labels.names,
    labels._labels,
    labels.topic_names,
    segment.rule,
    segment.characters,
    overlap.bleu_tokenizer,
    reply._patterns,
)
SPANISH = (
    (
        "customer",
        "",
        (
            "Hola, no puedo entrar en mi cuenta desde ayer y necesito hacer una transferencia hoy"
            " mismo."
        ),
    ),
    (
        "supporter",
        "GT",
        "Buenos días, le atiende Marta. Lamento las molestias y con mucho gusto le ayudo.",
    ),
    ("customer", "", "Gracias. Me dice que la contraseña no es válida."),
    (
        "supporter",
        "PS",
        "Puede restablecer la contraseña con el enlace que le envío ahora a su correo.",
    ),
)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A language of the tester's own, xt, with made-up words; the caches forget it afterwards."""
    folder = tmp_path / "own" / "xt"
    folder.mkdir(parents=True)
    values = yaml.safe_load((SHIPPED / "es" / "language.yaml").read_text(encoding="utf-8"))
    values |= {"name": "Toy", "native": "Toy", "status": "released"}
    for id_, one in values["strategies"].items():
        one["name"] = f"Zoy {id_}"
    (folder / "language.yaml").write_text(
        yaml.safe_dump(values, allow_unicode=True), encoding="utf-8"
    )
    words = (SHIPPED / "es" / "prompts.yaml").read_text(encoding="utf-8")
    (folder / "prompts.yaml").write_text(
        words.replace('SUPPORTER: "Agente: "', 'SUPPORTER: "Zupo: "'), encoding="utf-8"
    )
    monkeypatch.setenv("CSC_LANGUAGES", str(folder.parent))
    for cache in CACHED:
        cache.cache_clear()
    yield folder
    monkeypatch.undo()
    for cache in CACHED:
        cache.cache_clear()


def row(number, said, **more):
    dialogue = [
        {"speaker": speaker, "strategy": strategy, "text": text} for speaker, strategy, text in said
    ]
    return {
        "conversation_id": f"c{number}",
        "topic": "Others",
        "source": "test",
        "dialogue": dialogue,
    } | more


def corpus_of(tmp_path, rows):
    path = tmp_path / "corpus" / "csconv" / "test.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8"
    )
    return tmp_path / "corpus"


def test_the_shipped_languages():
    assert list(languages())[:2] == ["zh", "en"]
    assert [code for code, one in languages().items() if not one.draft] == REVIEWED
    assert sorted(code for code, one in languages().items() if one.draft) == DRAFTS
    with pytest.raises(SettingError, match="there is no language 'xx'; there are zh, en, "):
        language("xx")


def test_a_language_of_ones_own_is_a_draft_whatever_it_says(toy):
    assert language("xt").draft and language("xt").name == "Toy"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v.pop("speakers"), "language.yaml: speakers: Field required"),
        (lambda v: v.update(colour="red"), "language.yaml: colour: Extra inputs"),
        (lambda v: v["strategies"].pop("EM"), "language.yaml: strategies: EM is missing"),
        (
            lambda v: v["topics"].update(Sport="Deporte"),
            "language.yaml: topics: Sport is none of the 8",
        ),
        (
            lambda v: v["metrics"].update(tokens="letters"),
            "language.yaml: metrics.tokens: Input should be",
        ),
    ],
)
def test_a_folder_with_a_fault_is_named_in_one_line(toy, change, says):
    values = yaml.safe_load((toy / "language.yaml").read_text(encoding="utf-8"))
    change(values)
    (toy / "language.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read(toy)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_one_name_for_two_strategies_is_refused(toy):
    values = yaml.safe_load((toy / "language.yaml").read_text(encoding="utf-8"))
    values["strategies"]["AC"]["name"] = "greeting"
    (toy / "language.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(DataError, match=r"language 'xt' calls AC 'greeting', which in 'en' is GT"):
        languages()


def test_replies_are_read_in_their_own_language_and_those_of_the_papers():
    assert read_reply("[Saludo] Buenos días", code="es").strategy == "GT"
    assert read_reply("[Greeting] Buenos días", code="es").strategy == "GT"
    assert read_reply("[礼貌问候] Buenos días", code="es").strategy == "GT"
    # A new language changes nothing for the others.
    assert read_reply("[Saludo] Hello", code="en").strategy is None
    assert read_reply("Agente: [Saludo] Hola", code="es").text == "Hola"


# --- which language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("我的iPhone坏了", "zh"),
        ("abcdefg好好好", "zh"),
        ("您好", "zh"),
        ("Hello, how can I help you today?", "en"),
        ("Buenos días, ¿en qué puedo ayudarle hoy?", "es"),
        ("안녕하세요 고객님, 무엇을 도와드릴까요? 주문 번호를 알려 주세요", "ko"),
        ("お客様のご注文番号とお名前を教えていただけますでしょうか", "ja"),
        ("Hei, miten voin auttaa teitä tänään?", "fi"),
        ("नमस्ते मैं आपकी कैसे मदद कर सकता हूँ", "hi"),
        ("OK", None),
        ("", None),
        ("12345 😀", None),
        ("Hi, I am Tyler Jones", None),
    ],
)
def test_the_detector(text, code):
    assert detect.detect(text) == code


def test_star_and_crosswoz_are_told_rightly(shared_data):
    from builders.sources import read_source
    from builders.sources.raw import Reading

    star = [" ".join(t.text for t in c.turns) for c in read_source(shared_data / "star", Reading())]
    crosswoz = [
        " ".join(t.text for t in c.turns)
        for c in read_source(shared_data / "crosswoz" / "val.json.zip", Reading())
    ]
    assert Counter(map(detect.detect, star)) == {"en": 940, None: 12}
    assert Counter(map(detect.detect, crosswoz)) == {"zh": 500}


def test_a_declared_language_wins_and_short_rows_take_the_majority(tmp_path):
    short = (("customer", "", "Hola"), ("supporter", "GT", "Hola"))
    rows = [row(0, SPANISH), row(1, SPANISH[:3]), row(2, short), row(3, SPANISH, language="pt")]
    corpus = corpora.load(str(corpus_of(tmp_path, rows)), "csconv", "test")
    assert {item.conversation_id: item.language for item in corpus.items} == {
        "c0": "es",
        "c1": "es",
        "c2": "es",
        "c3": "pt",
    }
    assert corpus.counts == {
        "languages taken from most of the corpus (too short or mixed to tell)": 1
    }


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (
            "Hei, tilini on lukittu enkä pääse kirjautumaan verkkopankkiin",
            "the text looks like 'fi'",
        ),
        ("Hi", "is too little or too mixed to tell it"),
    ],
)
def test_what_cannot_be_told_or_is_unknown_is_refused(tmp_path, said, says):
    folder = corpus_of(tmp_path, [row(1, (("customer", "", said), ("supporter", "GT", "ok")))])
    with pytest.raises(DataError) as caught:
        corpora.load(str(folder), "csconv", "test")
    text = str(caught.value)
    assert "test.jsonl row 1: no language is declared" in text and says in text
    assert "`language`" in text and "CSC_LANGUAGES" in text and "\n" not in text


# --- metrics


@pytest.mark.parametrize("code", list(languages()))
def test_identical_texts_score_one_in_every_language(code):
    text = {"zh": "您好", "ja": "お客様のご注文", "ko": "안녕하세요 고객님 주문"}.get(
        code, "Größe, señor, à bientôt 7"
    )
    scored = METRICS["rouge_l"].score([text], [text], code)
    assert scored.items == [1.0]
    assert METRICS["bleu_4"].score([text], [text], code).signature.startswith("bleu|ngram:4|tok:")


def test_signatures_say_how_text_is_split():
    signed = {
        code: METRICS["rouge_l"].score([], [], code).signature for code in ("zh", "ja", "ko", "es")
    }
    assert "tok:cjk-char+word:1|" in signed["zh"] and "tok:cjk-char+word:1|" in signed["ja"]
    assert "tok:ko-char+word:1|" in signed["ko"] and "tok:words-nfc:1|" in signed["es"]
    assert segment.tokens("안녕 ok12", "ko") == ["안", "녕", "ok12"]
    assert segment.tokens("¿Sen\u0303or, 7?", "es") == ["señor", "7"]


def test_the_first_installed_tokenizer_of_bleu_is_taken(monkeypatch):
    from csc_tasks.metrics import overlap as module

    module.bleu_tokenizer.cache_clear()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert module.bleu_tokenizer("ja") == "char"
    module.bleu_tokenizer.cache_clear()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: object())
    assert module.bleu_tokenizer("ja") == "ja-mecab"
    module.bleu_tokenizer.cache_clear()


def test_meteor_with_a_stemmer():
    pytest.importorskip("nltk")
    scored = METRICS["meteor"].score(["las transferencias"], ["la transferencia"], "es")
    assert 0 < scored.items[0] < 1 and "stem-spanish" in scored.signature


# --- what a language lacks


def test_what_a_language_lacks_is_one_error():
    from builders.wording import templates
    from leaderboard.judging.dimensions import prompts

    with pytest.raises(
        SettingError,
        match=(
            r"no prompts for building in German \(de\); the languages that have them are zh, en, es"
        ),
    ):
        templates("de")
    with pytest.raises(
        SettingError, match=r"no prompts for judging in German \(de\); .* zh, en, es"
    ):
        prompts("de")
    with pytest.raises(
        SettingError, match="no fact rules for 'es'; facts can be found in zh and en"
    ):
        from csc_tasks.metrics.facts import find_facts

        find_facts("12", "es")


def test_every_place_in_the_spanish_prompts_is_filled_as_in_english():
    from csc_tasks.llm.prompting import placeholders

    for folder in (Path("builders/prompts"), Path("leaderboard/prompts")):
        root = Path(__file__).resolve().parents[3] / folder
        english = {path.name: path for path in (root / "en").iterdir()}
        spanish = {path.name: path for path in (root / "es").iterdir()}
        assert english.keys() == spanish.keys()
        for name in english:
            both = [
                placeholders(path.read_text(encoding="utf-8"))
                for path in (english[name], spanish[name])
            ]
            assert both[0] == both[1], name


# --- from a corpus to a table


def table_of(tmp_path, code, tag):
    """A model that always answers with one strategy of the language, from a corpus through lm_eval
    to a table.
    """
    from leaderboard.collect import collect
    from leaderboard.numbers.measured import Options
    from tests.support.made_results import run_lm_eval

    asked = []

    def say(prompt):
        asked.append(prompt)
        return f"[{tag}] {SPANISH[1][2]}"

    folder = corpus_of(tmp_path, [row(number, SPANISH, language=code) for number in range(2)])
    run = run_lm_eval(tmp_path / "runs", folder, ["csc_conv_ref"], say)
    board = collect([run], tmp_path / "board", Options(0, 1, True, {}), (), None, 1)
    results = json.loads(next(run.rglob("results_*.json")).read_text(encoding="utf-8"))
    return asked, results, board


def test_a_toy_language_goes_from_a_corpus_to_a_table(toy, tmp_path):
    asked, results, board = table_of(tmp_path, "xt", "Zoy GT")
    assert all("Zupo: " in prompt or "Zoy GT" in prompt for prompt in asked)
    csc = results["configs"]["csc_conv_ref"]["metadata"]["csc"]
    assert (csc["languages"], csc["draft_languages"]) == (["xt"], ["xt"])
    (table,) = board.tables
    values = {column.metric: table.rows[0].values[column.key].value for column in table.columns}
    assert values["strategy_acc"] == 0.5 and values["unparsed"] == 0 and 0.5 < values["rouge_l"] < 1
    assert not any(column.ranked for column in table.columns)
    assert any(note.startswith("Draft language (xt)") for note in table.footnotes)
    assert any("no fact audit, there are no rules for xt" in note for note in board.notes)


def test_spanish_goes_from_a_corpus_to_a_ranked_table(tmp_path):
    asked, results, board = table_of(tmp_path, "es", "Saludo")
    assert all("Estrategias:" in prompt and "1. Saludo: " in prompt for prompt in asked)
    assert "draft_languages" not in results["configs"]["csc_conv_ref"]["metadata"]["csc"]
    (table,) = board.tables
    assert {column.metric for column in table.columns if column.ranked} >= {
        "strategy_acc",
        "rouge_l",
        "bleu_4",
    }
    assert not any("Draft" in note for note in table.footnotes)
