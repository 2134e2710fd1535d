"""Run-time settings: keys, environment variables, which wins, and what is refused."""

import dataclasses

import pytest

from csc_tasks.errors import SettingError
from csc_tasks.settings import (
    HELP,
    PUBLISHED_CORPUS,
    PUBLISHED_QA_CORPUS,
    PlaySettings,
    Settings,
    read_settings,
)

KEYS = [field.name for field in dataclasses.fields(Settings)]


def test_the_defaults_are_the_published_data():
    assert read_settings({}, {}) == Settings()
    assert (Settings().corpus, Settings().qa_corpus) == (PUBLISHED_CORPUS, PUBLISHED_QA_CORPUS)
    assert PUBLISHED_CORPUS == "DianJin/DianJin-CSC-Data"
    assert PUBLISHED_QA_CORPUS == "Lakshan2003/customer-support-client-agent-conversations"
    assert (Settings().prompt, Settings().metrics, Settings().qa_reference) == (
        "single",
        "overlap",
        "refined_agent_answer",
    )


def test_every_setting_says_what_it_takes():
    assert list(HELP) == KEYS and all(HELP.values())


# A value other than the default for every setting, as text.
VALUES = dict.fromkeys(KEYS, "demo") | {
    "bad_rows": "drop",
    "prompt": "chat",
    "format": "json",
    "strategies": "several",
    "reask": "1",
    "language": "zh",
    "subset": "25",
    "passages": "5",
    "turns": "a/1,b/2",
    "repeats": "3",
    "qa_reference": "agent_answer",
    "metrics": "bleu_4,rouge_l",
    "metric_batch_size": "8",
    "bertscore_layer": "3",
    "play": "plain",
    "price": "0.15,0.6",
    "window": "64",
    "think_tokens": "512",
    "date": "2025-01-31",
    "max_failed": "0.25",
    "customer": "openai:demo",
    "customer_temperature": "0.25",
    "customer_seed": "7",
    "customer_max_requests": "9",
    "customer_max_cost": "0.5",
    "max_turns": "4",
}


@pytest.mark.parametrize("name", KEYS)
def test_metadata_and_environment_say_the_same(name):
    value = VALUES[name]
    from_metadata = read_settings({f"csc_{name}": value}, {})
    assert from_metadata == read_settings({}, {f"CSC_{name.upper()}": value})
    read = getattr(from_metadata, name)
    assert (",".join(read) if isinstance(read, tuple) else str(read)) == value
    others = {key: getattr(from_metadata, key) for key in KEYS if key != name}
    assert others == {key: getattr(Settings(), key) for key in KEYS if key != name}


def test_metadata_wins_over_the_environment():
    environment = {f"CSC_{name.upper()}": value for name, value in VALUES.items()}
    chosen = read_settings({"csc_corpus": "mine", "csc_subset": 3}, environment)
    assert (chosen.corpus, chosen.subset, chosen.qa_corpus, chosen.prompt) == (
        "mine",
        3,
        "demo",
        "chat",
    )
    # An explicit null or empty text asks for the default again.
    for nothing in (None, ""):
        assert read_settings({"csc_corpus": nothing}, environment).corpus == PUBLISHED_CORPUS


def test_the_real_environment_is_read(monkeypatch):
    monkeypatch.setenv("CSC_CORPUS", "from the shell")
    assert read_settings({}).corpus == "from the shell"


def test_other_peoples_keys_are_ignored():
    others = {
        "version": 1.0,
        "pretrained": "x",
        "Csc_corpus": "x",
        "corpus": "x",
        "csc": {"rows": 3},
    }
    assert read_settings(others, {"CSC": "x", "CSC_SHARED_DATA": "x"}) == Settings()


@pytest.mark.parametrize(
    ("key", "closest"),
    [
        ("csc_corpora", "csc_corpus"),
        ("csc_metric", "csc_metrics"),
        ("csc_lang", "csc_language"),
        ("csc_limit", None),
        ("csc_", None),
        ("csc_CORPUS", None),
    ],
)
def test_an_unknown_key_names_the_closest(key, closest):
    with pytest.raises(SettingError) as caught:
        read_settings({"csc_corpus": "demo", key: "x"}, {})
    text = str(caught.value)
    assert text.startswith(f"unknown setting {key!r} (closest: {closest or 'csc_'}")
    assert all(f"csc_{name}" in text for name in KEYS)


@pytest.mark.parametrize(
    ("given", "metrics"),
    [
        ("bleu_4", "bleu_4"),
        ("overlap,bertscore", "overlap,bertscore"),
        (["bleu_4", "rouge_l"], "bleu_4,rouge_l"),
        (("all",), "all"),
        ([], ""),
    ],
)
def test_metrics_are_a_name_or_a_list(given, metrics):
    assert read_settings({"csc_metrics": given}, {}).metrics == metrics


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("csc_prompt", "both", "choose one of single, chat"),
        ("csc_prompt", "Single", "choose one of single, chat"),
        ("csc_language", "xx", "choose one of zh, en"),
        ("csc_language", "ZH", "choose one of zh, en"),
        ("csc_language", ["zh", "en"], "choose one of zh, en"),
        ("csc_qa_reference", "answer", "choose one of refined_agent_answer, agent_answer"),
        ("csc_play", "fast", "choose one of auto, plain"),
        ("csc_window", 0, "a whole number of at least 1"),
        *(
            ("csc_max_failed", value, "a share from 0 to 1, as in 0.02")
            for value in (-0.1, 1.5, "2%", "x", True, [], "nan")
        ),
        ("csc_think_tokens", -1, "a whole number of at least 0"),
        *(
            ("csc_subset", value, "a whole number of at least 1")
            for value in (
                0,
                -1,
                "0",
                "x",
                "1.5",
                2.5,
                True,
                [],
                [1],
                {},
                float("nan"),
                float("inf"),
                "1e3",
            )
        ),
    ],
)
def test_a_bad_value_says_what_would_do(key, value, said):
    with pytest.raises(SettingError) as caught:
        read_settings({key: value}, {})
    assert str(caught.value).startswith(f"{key}=") and said in str(caught.value)
    if isinstance(value, str):
        with pytest.raises(SettingError, match=said):
            read_settings({}, {key.upper(): value})


@pytest.mark.parametrize(
    "given", [{"repeats": None}, {"max_failed": None}, {"prompt": None}, {"customer_seed": -1}]
)
def test_settings_made_in_python_are_checked_too(given):
    ((name, value),) = given.items()
    with pytest.raises(SettingError, match=f"^csc_{name}={value}: "):
        Settings(**given)


@pytest.mark.parametrize("value", [25, "25", " 25 ", 25.0])
def test_a_subset_is_a_whole_number(value):
    assert read_settings({"csc_subset": value}, {}).subset == 25


@pytest.mark.parametrize(
    ("variable", "closest"),
    [
        ("CSC_CORPSU", "CSC_CORPUS"),
        ("CSC_CORPORA", "CSC_CORPUS"),
        ("CSC_LIMIT", None),
        ("CSC_", None),
    ],
)
def test_an_unknown_variable_names_the_closest(variable, closest):
    with pytest.raises(SettingError) as caught:
        read_settings({"csc_corpus": "demo"}, {variable: "not shown", "PATH": "/bin"})
    text = str(caught.value)
    assert text.startswith(
        f"unknown environment variable {variable!r}: rename or unset it (closest:"
        f" {closest or 'CSC_'}"
    )
    assert all(f"CSC_{name.upper()}" in text for name in KEYS) and "not shown" not in text


def test_variables_that_are_no_settings_are_left_alone():
    """An empty one is an unset one; the project's own switches and another program's variables may
    be there.
    """
    others = {
        "CSC_CORPSU": "",
        "CSC_TASKS_AUTOLOAD": "1",
        "CSC_SHARED_DATA": "/data",
        "CSC_LINK": "file.p12",
    }
    assert read_settings({}, others | {"csc_corpsu": "x", "XCSC_A": "x"}) == Settings()


def test_what_every_request_carries_is_frozen_and_in_a_fixed_order():
    """The key of lm_eval's request cache is made from these values: a new order is a new key."""
    settings = read_settings(
        {
            "csc_play": "plain",
            "csc_window": 3,
            "csc_date": "2025-01-02",
            "csc_think_tokens": 5,
            "csc_reask": 1,
        },
        {},
    )
    assert dataclasses.astuple(settings.playing()) == ("plain", 3, "2025-01-02", 0.02, 5, 1)
    assert read_settings({}, {}).playing() == PlaySettings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.playing().window = 4
