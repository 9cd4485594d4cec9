"""`rollout-group` in transformers: `generate`, 16 prompts x 10 samples. Variants `dynamic`, `static`, `prefix` (see `vlm.rollout_case`)."""
from vlm import rollout_case, words


def set_up(variant):
    return rollout_case(16, words(variant).get("g", 10), variant)
