"""What may be tried, and which hosts would be sent customers' text."""

import pytest

from csc_tasks.errors import CscError
from leaderboard.trial.candidates import candidates_of, hosts

OTHER = "hf:other"


@pytest.mark.parametrize(
    ("spec", "name", "words", "url", "agent"),
    [
        ("hf:Qwen/Qwen3-4B", "Qwen3-4B", "hf pretrained=Qwen/Qwen3-4B", "", False),
        ("hf:b,peft=a/x,dtype=auto", "x", "hf pretrained=b,peft=a/x,dtype=auto", "", False),
        (
            "openai:gpt-5-mini",
            "gpt-5-mini",
            "openai-chat-completions model=gpt-5-mini,num_concurrent=3",
            "https://api.openai.com/v1",
            False,
        ),
        (
            "mine=openai:m,base_url=http://h:8/v1/,timeout=9",
            "mine",
            "local-chat-completions"
            " model=m,num_concurrent=3,timeout=9,base_url=http://h:8/v1/chat/completions",
            "http://h:8/v1",
            False,
        ),
        (
            "http://localhost:9000/chat",
            "localhost-9000",
            "csc-agent model=localhost-9000,base_url=http://localhost:9000/chat,num_concurrent=3",
            "http://localhost:9000/chat",
            True,
        ),
        (
            "shop=https://shop.example/chat",
            "shop",
            "csc-agent model=shop,base_url=https://shop.example/chat,num_concurrent=3",
            "https://shop.example/chat",
            True,
        ),
    ],
)
def test_a_candidate_is_a_model_of_lm_eval(spec, name, words, url, agent):
    one, _ = candidates_of([spec, OTHER], 3)
    backend, arguments = words.split(" ")
    assert one.name == name
    assert one.words == ("--model", backend, "--model_args", arguments)
    assert (one.url, one.agent) == (url, agent)


def test_an_agent_in_a_file_is_called_after_it(tmp_path):
    file = tmp_path / "helpdesk.yaml"
    file.write_text("url: https://agents.example/turn\nrequest: {}\nreply: text\n")
    one, _ = candidates_of([str(file), OTHER], 4)
    arguments = f"model=helpdesk,agent={file},num_concurrent=4"
    assert one.words == ("--model", "csc-agent", "--model_args", arguments)
    assert (one.name, one.url) == ("helpdesk", "https://agents.example/turn")


def test_two_of_one_name_have_folders_of_their_own():
    names = [one.name for one in candidates_of(["hf:a/m", "hf:b/m", "hf:c,peft=x/m"], 1)]
    assert len(set(names)) == 3
    assert names[0] == "m"


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["hf:a"], "--candidates: give two or more"),
        (["hf:a", "hf:a"], "--candidates hf:a: is given twice"),
        (["hf:a", "gpt-5"], "--candidates gpt-5: is none of hf:MODEL, openai:MODEL"),
        (["hf:a", "hf:"], "--candidates hf:: is none of"),
        (["hf:a", "http:///chat"], "there is no host in http:///chat"),
        (["hf:a", "nowhere.yaml"], "nowhere.yaml: there is no such file"),
        (
            ["hf:a", "http://localhost:9/chat,base_url=http://evil.example/"],
            "an address has no commas",
        ),
        (
            ["hf:a", "openai:m,base_url=http://localhost/v1,base_url=http://evil.example/v1"],
            "has two addresses",
        ),
    ],
)
def test_what_cannot_be_tried_is_one_line(specs, words):
    with pytest.raises(CscError) as error:
        candidates_of(specs, 1)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "spec",
    [
        "openai:m,api_key=hunter2",
        "openai:m,base_url=http://h/v1,header={'Authorization':'hunter2'}",
        "hf:m,token=hunter2",
        "hf:m,HF_TOKEN=hunter2",
        "http://me:hunter2@h/chat",
        "shop=https://hunter2@h/chat",
        "openai:m,base_url=http://x:hunter2@h/v1",
        "https://h/chat?api_key=hunter2",
        "https://h/chat?a=b&token=hunter2",
    ],
)
def test_a_secret_is_refused_and_not_repeated(spec):
    with pytest.raises(CscError, match="keep it in the environment") as error:
        candidates_of([spec, OTHER], 1)
    assert "hunter2" not in str(error.value)


def test_what_only_sounds_like_a_secret_is_none():
    names = ["hf:m,tokenizer=x", "openai:keys/m,tokenized_requests=False,max_tokens=9"]
    with pytest.raises(CscError):
        candidates_of([names[1].replace("max_tokens", "access_token"), OTHER], 1)
    assert len(candidates_of(names, 1)) == 2


@pytest.mark.parametrize("text", ["url: 5\n", "- a\n", "", "url: [\n"])
def test_a_file_that_is_no_agent_is_one_line(tmp_path, text):
    file = tmp_path / "agent.yaml"
    file.write_text(text)
    with pytest.raises(CscError) as error:
        candidates_of([str(file), OTHER], 1)
    assert str(error.value).startswith(f"{file}: ")
    assert "\n" not in str(error.value)


def test_only_other_machines_receive_anything():
    local = [
        "",
        "http://localhost:1/v1",
        "http://127.0.0.1/x",
        "http://127.9.9.9",
        "http://[::1]:8/",
    ]
    assert hosts((url, "x") for url in local) == {}
    found = hosts(
        [
            ("https://api.openai.com/v1", "candidate a"),
            ("http://10.0.0.5:8000/v1", "candidate b"),
            ("https://API.openai.com/v1", "--label-llm"),
            ("http://localhost.example.org/", "c"),
        ]
    )
    assert found == {
        "api.openai.com": ["candidate a", "--label-llm"],
        "10.0.0.5": ["candidate b"],
        "localhost.example.org": ["c"],
    }
