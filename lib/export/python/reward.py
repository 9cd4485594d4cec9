"""The reward of Fine-R1 in TypeScript (lib/reward), in Python: 0.9 accuracy + 0.1 format, from text alone.

What is counted stands in `reward.json` beside this file: `strict` (an answer that names another sub-category of its
domain fails), `format_weight`, and the names of each domain. A test holds both implementations equal.

    accuracy_reward, format_reward      for TRL: one number a completion; weights are in grpo.yaml
    compute_score                       for EasyR1: overall, format, accuracy

Standard library only.
"""
import json
import os
import re
import unicodedata

REWARD_NAME = "fine-r1"
REWARD_TYPE = "batch"

AROUND_TAG = re.compile(r"\s*([<>/])\s*")
FORMAT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
TAKEN = "\0"
# what JavaScript's trim() removes; str.strip() knows a few more characters and lacks U+FEFF
BLANK = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def tighten_tags(response):
    """White space around every `<`, `>` and `/` removed."""
    return AROUND_TAG.sub(r"\1", response)


def first_answer(response):
    """The text of the first `<answer>...</answer>`, stripped; None where there is none."""
    match = ANSWER.search(response)
    return match.group(1).strip() if match else None


def lower_composed(text):
    """Lower case, letters composed (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text.lower())


def normalise_name(name):
    """Lower case, composed, `_` to space."""
    return lower_composed(name).replace("_", " ")


def _longest_first(name):
    units = name.encode("utf-16-be", "surrogatepass")
    return (-len(units), units)


def names_in(answer, names):
    """The distinct `names` that occur in `answer`, longest first; a longer name's text is taken out."""
    known = {normalise_name(name) for name in names}
    text = normalise_name(answer)
    found = []
    for name in sorted((one for one in known if one.strip(BLANK)), key=_longest_first):
        if name in text:
            found.append(name)
            text = text.replace(name, TAKEN)
    return found


def accuracy(response, ground_truth, names=None):
    """1.0 where the truth is contained in the first answer and, with `names`, no other of them is named; else 0.0."""
    if not ground_truth.strip(BLANK):
        raise ValueError("accuracy: the ground truth is empty; every answer contains it")
    answer = first_answer(tighten_tags(response))
    if answer is None or lower_composed(ground_truth) not in lower_composed(answer):
        return 0.0
    if names is None:
        return 1.0
    truth = normalise_name(ground_truth)
    return 1.0 if all(name == truth for name in names_in(answer, [ground_truth, *names])) else 0.0


def format_score(response):
    """1.0 where the whole response is `<think>...</think> <answer>...</answer>`, else 0.0."""
    return 1.0 if FORMAT.fullmatch(tighten_tags(response)) else 0.0


def reward(response, ground_truth, names=None, format_weight=0.1):
    """The reward and its two parts. `names`: the sub-categories of the domain makes it strict; None is inclusion alone."""
    right, form = accuracy(response, ground_truth, names), format_score(response)
    return {"overall": (1 - format_weight) * right + format_weight * form, "accuracy": right, "format": form}


_settings = None


def settings():
    """What is in `reward.json`, read once."""
    global _settings
    if _settings is None:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reward.json"), encoding="utf-8") as file:
            _settings = json.load(file)
    return _settings


def names_of(ground_truth, domain=None):
    """The names that an answer may not have besides its truth; None where the reward is not strict.

    Without a domain, as in EasyR1, which passes none on: those of the first domain that has the truth.
    """
    told = settings()
    if not told["strict"]:
        return None
    if domain is not None:
        return told["names"][domain]
    for names in told["names"].values():
        if ground_truth in names:
            return names
    raise ValueError(f"reward.json has no domain with the name {ground_truth!r}")


def _text(completion):
    return completion if isinstance(completion, str) else completion[-1]["content"]


def accuracy_reward(completions, ground_truth, domain, **_):
    """For TRL: accuracy of each completion."""
    texts = [_text(completion) for completion in completions]
    return [accuracy(text, truth, names_of(truth, one)) for text, truth, one in zip(texts, ground_truth, domain)]


def format_reward(completions, **_):
    """For TRL: format of each completion."""
    return [format_score(_text(completion)) for completion in completions]


def compute_score(reward_inputs, format_weight=None):
    """For EasyR1: `overall`, `format` and `accuracy` of each response."""
    weight = settings()["format_weight"] if format_weight is None else format_weight
    return [reward(one["response"], one["ground_truth"], names_of(one["ground_truth"]), weight) for one in reward_inputs]
