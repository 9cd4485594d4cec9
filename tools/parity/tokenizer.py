"""transformers' ids of strings, by the tokenizer of a directory.

    python tokenizer.py DIR STRINGS OUT     reads STRINGS (a JSON list), writes OUT (a JSON list of {text, ids, decoded})
"""
import json
import sys

from transformers import AutoTokenizer

directory, strings, out = sys.argv[1:4]
tokenizer = AutoTokenizer.from_pretrained(directory)
cases = []
with open(strings) as file:
    for text in json.load(file):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        cases.append(dict(text=text, ids=ids, decoded=tokenizer.decode(ids, skip_special_tokens=True)))
with open(out, "w") as file:
    json.dump(cases, file)
print(f"{len(cases)} strings, {sum(len(case['ids']) for case in cases)} tokens, {len(tokenizer)} in the vocabulary")
