"""METEOR: published examples and arithmetic by hand, with a real WordNet where Debian's is
installed and a stub of it everywhere.
"""

import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from csc_tasks.errors import DataError, MissingExtra, ModelError, SettingError
from csc_tasks.metrics import METRICS, meteor, select

METEOR = METRICS["meteor"]
DEBIAN = Path("/usr/share/wordnet")

# The one file nltk needs that Debian's packages (wordnet-base, wordnet-sense-index) leave out:
# WordNet's 45 lexicographer files, in order.
LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body"
    " noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location"
    " noun.motive noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process"
    " noun.quantity noun.relation noun.shape noun.state noun.substance noun.time verb.body"
    " verb.change verb.cognition verb.communication verb.competition verb.consumption verb.contact"
    " verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social"
    " verb.stative verb.weather adj.ppl"
)

SYNONYMS = ({"car", "auto", "automobile"}, {"command", "order", "bid"}, {"party", "company"})


class StubWordNet:
    """Three synsets, looked up by exact form."""

    def synsets(self, word):
        lemmas = [
            SimpleNamespace(name=lambda name=name: name)
            for group in SYNONYMS
            if word in group
            for name in sorted(group)
        ]
        return [SimpleNamespace(lemmas=lambda: lemmas)] if lemmas else []

    def get_version(self):
        return "stub"


@pytest.fixture(autouse=True)
def fresh_rules():
    """What is loaded once per process is loaded again in every test."""
    meteor._rules.cache_clear()
    yield
    meteor._rules.cache_clear()


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """nltk's reader over a folder made of Debian's files; slow to load, so loaded once."""
    if not (DEBIAN / "index.sense").is_file():
        pytest.skip(
            "no WordNet in /usr/share/wordnet (Debian: wordnet-base and wordnet-sense-index)"
        )
    import nltk
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    from nltk.corpus.util import LazyCorpusLoader

    folder = tmp_path_factory.mktemp("nltk_data")
    target = folder / "corpora" / "wordnet"
    target.mkdir(parents=True)
    for path in [
        *DEBIAN.glob("data.*"),
        *DEBIAN.glob("index.*"),
        *DEBIAN.glob("*.exc"),
        DEBIAN / "cntlist.rev",
    ]:
        shutil.copy(path, target)
    numbers = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
    rows = (
        f"{i:02d}\t{name}\t{numbers[name.split('.')[0]]}\n"
        for i, name in enumerate(LEXNAMES.split())
    )
    (target / "lexnames").write_text("".join(rows))
    # nltk reads no file that others may write.
    for path in [folder, target.parent, target, *target.iterdir()]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [str(folder)])
        reader = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
        reader.ensure_loaded()
        yield reader


@pytest.fixture(params=["stub", "debian"])
def wordnet(request, monkeypatch):
    """The version of the WordNet that METEOR finds."""
    if request.param == "stub":
        monkeypatch.setattr(meteor, "_wordnet", StubWordNet)
        return "stub"
    monkeypatch.setattr("nltk.corpus.wordnet", request.getfixturevalue("debian"))
    return "3.0"


def score(prediction, reference, language="en"):
    return METEOR.score([prediction], [reference], language).items[0]


GUIDE = (
    "It is a guide to action which ensures that the military always obeys the commands of the party"
)
GUIDE_REFERENCE = (
    "It is a guide to action that ensures that the military will forever heed Party commands"
)


def meteor_by_hand(matches, reply, reference, chunks):
    """Banerjee & Lavie (2005): Fmean = 10PR / (R + 9P), times 1 - 0.5 (chunks / matches)^3."""
    precision, recall = matches / reply, matches / reference
    return 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (chunks / matches) ** 3)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        # Banerjee & Lavie (2005), section 3: two chunks, "the president" and "spoke to the
        # audience".
        (
            "the president then spoke to the audience",
            "the president spoke to the audience",
            meteor_by_hand(6, 7, 6, 2),
        ),
        # Six matches in six chunks, the largest penalty; the same words in order; and one word
        # between.
        ("on the mat sat the cat", "the cat sat on the mat", 0.5),
        ("the cat sat on the mat", "the cat sat on the mat", 0.9977),
        ("the cat was sat on the mat", "the cat sat on the mat", 0.9654),
        # nltk's documentation of single_meteor_score.
        (GUIDE, GUIDE_REFERENCE, 0.6944),
        ("non matching hypothesis", "this is a cat", 0.0),
        # Stems: four of four match, in one chunk.
        (
            "orders were delayed yesterday",
            "order were delays yesterday",
            meteor_by_hand(4, 4, 4, 1),
        ),
        ("", "hello", 0.0),
        ("hello", "", 0.0),
        ("", "", 0.0),
    ],
)
def test_published_and_hand_made_values(wordnet, prediction, reference, expected):
    assert score(prediction, reference) == pytest.approx(expected, abs=5e-5)


def test_synonyms_match(wordnet):
    # "my car" is two matches in one chunk when car and auto are synonyms, and one match in one
    # chunk when they are not.
    assert score("my auto", "my car") == pytest.approx(meteor_by_hand(2, 2, 2, 1))
    assert score("my desk", "my car") == pytest.approx(meteor_by_hand(1, 2, 2, 1))


def test_marks_and_contractions_are_words_of_their_own(wordnet):
    # 8 tokens: It 's done . Is n't it ? ; the reply lacks the last sentence's mark and the
    # contraction matches as such.
    assert score("It's done. Isn't it", "It's done. Isn't it?") == pytest.approx(
        meteor_by_hand(7, 7, 8, 1)
    )
    assert (
        score("Done.", "done .")
        == score("done.", "done.")
        == pytest.approx(meteor_by_hand(2, 2, 2, 1))
    )


def test_chinese_compares_characters_and_needs_no_wordnet(monkeypatch):
    monkeypatch.setattr(meteor, "_wordnet", lambda: pytest.fail("Chinese asked for WordNet"))
    METEOR.ready("zh")
    # 您 好 ， 帮 match: of 6 and 7 characters, in the chunks 您好， and 帮.
    assert score("您好，帮他查", "您好，我来帮你", "zh") == pytest.approx(
        meteor_by_hand(4, 6, 7, 2)
    )
    # Latin words are stemmed.
    assert score("查订单orders", "查订单order", "zh") == pytest.approx(meteor_by_hand(4, 4, 4, 1))
    assert score("好", "好", "zh") == pytest.approx(0.5)
    assert score("好", "坏", "zh") == score("", "好", "zh") == 0.0


def test_signatures_name_the_stages(wordnet):
    import nltk

    fixed = "meteor|alpha:0.9|beta:3|gamma:0.5|case:lower"
    assert (
        METEOR.score([], [], "en").signature
        == f"{fixed}|tok:treebank:1|stages:exact+stem+wordnet-{wordnet}|nltk:{nltk.__version__}"
    )
    assert (
        METEOR.score([], [], "zh").signature
        == f"{fixed}|tok:cjk-char+word:1|stages:exact+stem|nltk:{nltk.__version__}"
    )


def test_odd_texts_have_a_score(wordnet):
    odd = [
        "",
        " ",
        "\n",
        "好",
        "a",
        "...",
        "👍",
        "您好 hello",
        "[手机号码]",
        "\ud83d",
        "\x00",
        "word " * 1250,
        "好" * 5000,
    ]
    for language in ("en", "zh"):
        items = METEOR.score([a for a in odd for _ in odd], odd * len(odd), language).items
        assert len(items) == len(odd) ** 2
        assert all(
            isinstance(item, float) and math.isfinite(item) and 0 <= item <= 1 for item in items
        )


def test_words_are_looked_up_once(monkeypatch):
    asked = []

    class Counting(StubWordNet):
        def synsets(self, word):
            asked.append(word)
            return []

    monkeypatch.setattr(meteor, "_wordnet", Counting)
    METEOR.score(["my auto"] * 50, ["my car"] * 50, "en")
    assert asked == ["auto"]


def test_without_wordnet_the_check_says_how_to_get_it(monkeypatch, tmp_path):
    import nltk
    import nltk.corpus
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    from nltk.corpus.util import LazyCorpusLoader

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    monkeypatch.setattr(
        nltk.corpus, "wordnet", LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
    )
    for call in (
        lambda: METEOR.ready("en"),
        lambda: METEOR.score([], [], "en"),
        lambda: METEOR.score(["a"], ["a"], "en"),
    ):
        with pytest.raises(
            ModelError,
            match=(
                r"needs WordNet, .*'wordnet' not found.*nltk.downloader"
                r" wordnet.*NLTK_DATA.*csc_metrics"
            ),
        ):
            call()
    METEOR.ready("zh")


def test_what_is_refused(monkeypatch):
    with pytest.raises(DataError, match="scored item 1: the reply is None"):
        METEOR.score(["a", None], ["a", "b"], "zh")
    with pytest.raises(DataError, match="1 replies but 2 references"):
        METEOR.score(["a"], ["a", "b"], "zh")
    for call in (lambda: METEOR.ready("xx"), lambda: METEOR.score(["a"], ["a"], "xx")):
        with pytest.raises(SettingError, match="'xx'"):
            call()
    monkeypatch.setitem(__import__("sys").modules, "nltk", None)
    with pytest.raises(
        MissingExtra, match=r"meteor needs 'nltk': pip install 'csc-tasks\[learned\]'"
    ):
        METEOR.ready("zh")


def test_the_table_offers_it_for_answers_when_asked():
    assert METEOR in select("meteor", "answer") and METEOR in select("all", "answer")
    assert METEOR not in select(None, "answer") and METEOR not in select("all", "turn")
