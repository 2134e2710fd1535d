"""What servers' errors say, word for word as each server writes them."""

import pytest

from csc_tasks.refusals import (
    Parameters,
    error_of,
    filtered,
    no_credit,
    refused_parameter,
    too_long,
)

# (server, error object, its limit, the prompt's tokens)
TOO_LONG = [
    (
        "OpenAI",
        {
            "message": (
                "This model's maximum context length is 8192 tokens. However, your messages"
                " resulted in 9045 tokens. Please reduce the length of the messages."
            ),
            "param": "messages",
            "code": "context_length_exceeded",
        },
        8192,
        9045,
    ),
    (
        "OpenAI completions",
        {
            "message": (
                "This model's maximum context length is 4097 tokens, however you requested 4500"
                " tokens (4244 in your prompt; 256 for the completion). Please reduce your prompt;"
                " or completion length."
            ),
        },
        4097,
        4244,
    ),
    (
        "OpenAI with a completion",
        {
            "message": (
                "This model's maximum context length is 8192 tokens. However, you requested 9045"
                " tokens (8789 in the messages, 256 in the completion). Please reduce the length of"
                " the messages or completion."
            ),
        },
        8192,
        8789,
    ),
    (
        "OpenAI long context",
        {
            "message": (
                "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted"
                " in 300123 tokens. Please reduce the length of the messages."
            ),
            "code": "context_length_exceeded",
        },
        272000,
        300123,
    ),
    (
        "vLLM",
        {
            "object": "error",
            "message": (
                "This model's maximum context length is 512 tokens. However, your request has 600 "
                "input tokens. Please reduce the length of the input messages."
            ),
            "code": 400,
        },
        512,
        600,
    ),
    (
        "vLLM max_tokens",
        {
            "message": (
                "'max_tokens' or 'max_completion_tokens' is too large: 256. This model's maximum"
                " context length is 512 tokens and your request has 400 input tokens (256 > 512 -"
                " 400). (parameter=max_tokens, value=256)"
            ),
        },
        512,
        400,
    ),
    (
        "vLLM engine",
        {
            "message": (
                "The decoder prompt (length 600) is longer than the maximum model length of 512."
                " Make sure that `max_model_len` is no smaller than the number of text tokens."
            ),
        },
        512,
        600,
    ),
    (
        "vLLM newest",
        {
            "message": (
                "You passed 513 input tokens and requested 256 output tokens. However, the model's"
                " context length is only 512 tokens, resulting in a maximum input length of 256"
                " tokens. Please reduce the length of the input prompt. (parameter=input_tokens,"
                " value=513)"
            ),
        },
        512,
        513,
    ),
    (
        "llama.cpp",
        {
            "code": 400,
            "message": "the request exceeds the available context size, try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 1200,
            "n_ctx": 1024,
        },
        1024,
        1200,
    ),
    (
        "llama.cpp newer",
        {
            "code": 400,
            "message": (
                "request (1200 tokens) exceeds the available context size (1024 tokens), try"
                " increasing it"
            ),
            "type": "exceed_context_size_error",
        },
        1024,
        1200,
    ),
    (
        "SGLang",
        {
            "message": (
                "The input (600 tokens) is longer than the model's context length (512 tokens)."
            )
        },
        512,
        600,
    ),
    (
        "SGLang with a completion",
        {
            "message": (
                "Requested token count exceeds the model's maximum context length of 512 tokens."
                " You requested a total of 700 tokens: 444 tokens from the input messages and 256"
                " tokens for the completion."
            ),
        },
        512,
        444,
    ),
    (
        "TGI",
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given:"
            " 4000 `inputs` tokens and 256 `max_new_tokens`"
        ),
        4096,
        4000,
    ),
    (
        "Anthropic",
        {
            "type": "invalid_request_error",
            "message": "prompt is too long: 210000 tokens > 200000 maximum",
        },
        200000,
        210000,
    ),
    (
        "Anthropic with a completion",
        {
            "message": (
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000,"
                " decrease input length"
            ),
        },
        200000,
        190000,
    ),
    (
        "Mistral",
        {
            "message": (
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768"
                " maximum context length"
            ),
        },
        32768,
        40000,
    ),
    (
        "OpenRouter",
        {
            "message": (
                "This endpoint's maximum context length is 4096 tokens. However, you requested"
                " about 5000 tokens (4744 of text input, 256 in the output). Please reduce the"
                " length of either one."
            ),
            "code": 400,
        },
        4096,
        4744,
    ),
    (
        "Gemini",
        {
            "code": 400,
            "message": (
                "The input token count (1200000) exceeds the maximum number of tokens allowed"
                " (1048576)."
            ),
            "status": "INVALID_ARGUMENT",
        },
        1048576,
        1200000,
    ),
    (
        "Cohere",
        {
            "message": (
                "too many tokens: total number of tokens in the prompt cannot exceed 4081 -"
                " received 5000."
            ),
        },
        4081,
        5000,
    ),
    (
        "Fireworks",
        {"message": "The prompt is too long: 40000, model maximum context length: 32767"},
        32767,
        40000,
    ),
    (
        "TensorRT-LLM",
        {"message": "Prompt length (600) exceeds maximum input length (512)."},
        512,
        600,
    ),
    (
        "DashScope",
        {"code": "invalid_parameter_error", "message": "Range of input length should be [1, 6000]"},
        6000,
        None,
    ),
    ("code alone", {"message": "no", "code": "context_length_exceeded"}, None, None),
    ("Bedrock", {"message": "Input is too long for requested model."}, None, None),
]


@pytest.mark.parametrize(
    ("error", "limit", "tokens"),
    [case[1:] for case in TOO_LONG],
    ids=[case[0] for case in TOO_LONG],
)
def test_a_prompt_that_is_too_long(error, limit, tokens):
    found = too_long(error)
    assert (found.limit, found.tokens) == (limit, tokens)
    assert (
        refused_parameter(
            400, error, {"max_tokens": 256, "max_completion_tokens": 256, "stop": ["x"]}
        )
        is None
    )


@pytest.mark.parametrize(
    "error",
    [
        {
            "message": (
                "max_tokens is too large: 100000. This model supports at most 4096 completion"
                " tokens"
            ),
            "param": "max_tokens",
        },
        {"message": "Content Exists Risk"},
        "Bad Gateway",
        {"message": "Rate limit reached for tokens per minute"},
        None,
        ["x"],
        7,
    ],
)
def test_other_errors_are_not_about_the_prompt_s_length(error):
    assert too_long(error) is None
    assert refused_parameter(400, error, {"max_tokens": 1, "temperature": 0}) is None


SENT = {
    "model": "m",
    "messages": [],
    "max_tokens": 256,
    "temperature": 0,
    "stop": ["\n"],
    "seed": 1,
    "response_format": {},
}
PARAMETERS = [
    (
        "OpenAI o-series",
        "temperature",
        {
            "message": (
                "Unsupported value: 'temperature' does not support 0 with this model. Only the"
                " default (1) value is supported."
            ),
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "unsupported_value",
        },
    ),
    (
        "OpenAI o-series",
        "max_tokens",
        {
            "message": (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
                " 'max_completion_tokens' instead."
            ),
            "type": "invalid_request_error",
            "param": "max_tokens",
            "code": "unsupported_parameter",
        },
    ),
    (
        "OpenAI o-series",
        "stop",
        {
            "message": "Unsupported parameter: 'stop' is not supported with this model.",
            "param": "stop",
            "code": "unsupported_parameter",
        },
    ),
    (
        "OpenAI empty list",
        "stop",
        {"message": "[] is too short - 'stop'", "type": "invalid_request_error", "param": None},
    ),
    ("xAI", "stop", {"message": "Argument not supported on this model: stop"}),
    ("Groq", "seed", {"message": "'seed' : property 'seed' is unsupported"}),
    (
        "Gemini",
        "seed",
        {
            "code": 400,
            "message": 'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
        },
    ),
    (
        "Gemini",
        "stop",
        {
            "code": 400,
            "message": 'Invalid JSON payload received. Unknown name "stop": Cannot find field.',
        },
    ),
    (
        "Mistral",
        "temperature",
        {"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}]},
    ),
    (
        "Mistral",
        "stop",
        {"detail": [{"loc": ["body", "stop"], "msg": "Extra inputs are not permitted"}]},
    ),
    ("Anthropic", "temperature", {"message": "`temperature` is deprecated for this model."}),
    (
        "LiteLLM",
        "temperature",
        {"message": "gpt-5 models don't support temperature=0. Only temperature=1 is supported."},
    ),
    ("TGI", "temperature", "Input validation error: `temperature` must be strictly positive"),
    ("DeepSeek", "response_format", {"message": "This response_format type is unavailable now"}),
]


@pytest.mark.parametrize(
    ("name", "error"),
    [case[1:] for case in PARAMETERS],
    ids=[" ".join(case[:2]) for case in PARAMETERS],
)
def test_a_parameter_that_a_server_does_not_take(name, error):
    assert refused_parameter(400, error, SENT) == name
    assert refused_parameter(500, error, SENT) is None
    without = {key: value for key, value in SENT.items() if key != name}
    assert refused_parameter(400, error, without) != name


def test_refused_parameters_are_left_out_and_said_once():
    said = []
    parameters = Parameters(tell=said.append)
    assert parameters.accepted(SENT) == SENT and "stop" not in parameters.accepted(
        SENT | {"stop": []}
    )
    for name, error in [("temperature", PARAMETERS[0][2]), ("max_tokens", PARAMETERS[1][2])] * 2:
        assert parameters.learn(400, error, SENT) == name
    assert len(said) == 2 and said[0].startswith("does not take temperature: ")
    accepted = parameters.accepted(SENT)
    assert "temperature" not in accepted and "max_tokens" not in accepted
    assert accepted["max_completion_tokens"] == 256
    assert parameters.left_out() == ["temperature"]
    # The token limit is told under one name or the other; a server that wants neither is not
    # obeyed.
    neither = {
        "message": "Unknown parameter: 'max_completion_tokens'",
        "param": "max_completion_tokens",
    }
    assert parameters.learn(400, neither, accepted) is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error"}}, True),
        (400, {"error": {"message": "x", "code": "content_filter"}}, True),
        (
            400,
            {
                "error": {
                    "message": "x",
                    "code": "y",
                    "innererror": {"code": "content_policy_violation"},
                }
            },
            True,
        ),
        (
            403,
            {
                "error": {
                    "message": (
                        "model requires moderation on OpenRouter. Your input was flagged for"
                        ' "violence"'
                    ),
                    "code": 403,
                }
            },
            True,
        ),
        (400, {"error": {"message": "unknown field", "code": "invalid"}}, False),
        (500, {"error": {"message": "Content Exists Risk"}}, False),
        (401, {"error": {"message": "no key"}}, False),
    ],
)
def test_a_content_filter(status, body, expected):
    assert filtered(status, error_of(body)) == expected


def test_an_empty_account_and_where_the_error_stands():
    assert no_credit(error_of({"error": {"code": "insufficient_quota", "message": "quota"}}))
    assert not no_credit(error_of({"error": {"code": "rate_limit_exceeded"}}))
    assert error_of([{"error": {"code": 400}}]) == {"code": 400}
    assert error_of({"detail": "x"}) == {"detail": "x"} and error_of("text") == "text"
