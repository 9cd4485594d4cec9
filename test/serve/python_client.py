"""The official client for Python against a server: prints what it got as JSON. Arguments: base URL, model, image as a data URL."""

import json
import sys

import openai

base_url, model, image = sys.argv[1:4]
client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)
messages = [
    {
        "role": "user",
        "content": [
            {"type": "image_url", "image_url": {"url": image}},
            {"type": "text", "text": "Which is larger?"},
        ],
    }
]
asked = {"model": model, "messages": messages, "max_tokens": 12, "temperature": 0, "extra_body": {"ignore_eos": True}}
reply = client.chat.completions.create(**asked, n=2, logprobs=True, top_logprobs=2)
pieces = []
for event in client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
    pieces += [choice.delta.content or "" for choice in event.choices]
    usage = event.usage
try:
    client.chat.completions.create(model="other", messages=messages)
    error = None
except openai.NotFoundError as found:
    error = found.code
print(
    json.dumps(
        {
            "version": openai.__version__,
            "models": [one.id for one in client.models.list()],
            "texts": [choice.message.content for choice in reply.choices],
            "log_probs": [token.logprob for token in reply.choices[0].logprobs.content],
            "streamed": "".join(pieces),
            "completion_tokens": usage.completion_tokens,
            "error": error,
        }
    )
)
