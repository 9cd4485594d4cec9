"""`rollout` in transformers: `generate`, 64 prompts with an image each. Variants `dynamic` and `static` (see `vlm.rollout_case`)."""
from vlm import rollout_case


def set_up(variant):
    return rollout_case(64, 1, variant)
