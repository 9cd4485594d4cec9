"""What the peers of the model cases share: the rows and prompts, which our side draws and prints (`ours/vlm.ts`), and the committed
base in transformers.

Variants are words joined by commas: `f32` or `bf16`, `g=N` (samples per prompt), and what a case adds.
"""
import base64
import json
import os
import subprocess

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, CompileConfig, DynamicCache, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")


def words(variant):
    """The words of a variant: `bf16,g=20` is `{"bf16": True, "g": 20}`."""
    pairs = (word.partition("=") for word in variant.split(","))
    return {name: int(value) if equals else True for name, equals, value in pairs}


def ask(what, count):
    """`count` rows or prompts, as our side works on them."""
    command = ["node", "--import", "tsx", "test/bench/ours/vlm.ts", what, str(count)]
    asked = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    side = asked["side"]
    asked["images"] = [Image.fromarray(np.frombuffer(base64.b64decode(p), np.uint8).reshape(side, side, 3)) for p in asked["pixels"]]
    asked["base"] = os.path.join(ROOT, asked["model"])
    return asked


def load_model(asked, dtype=torch.float32):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(asked["base"], dtype=dtype, attn_implementation="sdpa").eval()


def load_processor(asked):
    tokenizer = AutoTokenizer.from_pretrained(asked["base"], padding_side="left")
    images = Qwen2VLImageProcessorPil.from_pretrained(asked["base"])
    videos = Qwen2VLVideoProcessor(patch_size=images.patch_size, merge_size=images.merge_size, temporal_patch_size=images.temporal_patch_size)
    return Qwen2_5_VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=videos, chat_template=tokenizer.chat_template)


def inputs(asked, model, side):
    """Tensors for the model: rows padded on the `left` or `right`, patches of all images, token types."""
    ids = [row["inputIds"] for row in asked["rows"]]
    length = max(map(len, ids))
    pad = lambda row, value: (row + [value] * (length - len(row))) if side == "right" else ([value] * (length - len(row)) + row)
    input_ids = torch.tensor([pad(row, asked["padTokenId"]) for row in ids])
    processed = Qwen2VLImageProcessorPil.from_pretrained(asked["base"])(asked["images"], return_tensors="pt")
    return dict(
        input_ids=input_ids, attention_mask=torch.tensor([pad([1] * len(row), 0) for row in ids]), pixel_values=processed["pixel_values"].to(model.dtype),
        image_grid_thw=processed["image_grid_thw"], mm_token_type_ids=(input_ids == model.config.image_token_id).int(),
    )


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def without_end(model, asked, **more):
    """What `generate` is told: exactly `newTokens` tokens from the tempered nucleus; no token ends a row."""
    model.generation_config.eos_token_id = None
    return dict(
        do_sample=True, temperature=asked["temperature"], top_p=asked["topP"], top_k=0, suppress_tokens=asked["bannedTokenIds"],
        max_new_tokens=asked["newTokens"], pad_token_id=asked["padTokenId"], **more,
    )


def rollout_case(count, group, variant):
    """`count` prompts x `group` samples by `generate`.

    `dynamic` is its default cache; `static` its static cache, the decoding step compiled by torch.compile; `prefix` reads each prompt
    once, repeats its cache and goes on from there (without it `generate` reads every prompt, and its image, once per sample).
    """
    chosen = words(variant)
    asked = ask("prompts", count)
    model = load_model(asked, torch.bfloat16 if "bf16" in chosen else torch.float32)
    batch = inputs(asked, model, "left")
    options = without_end(model, asked)
    if "static" in chosen:
        compiled = CompileConfig(fullgraph=False, dynamic=False, mode="default")
        compiled._compile_all_devices = True  # transformers compiles on accelerators only, unless told
        options |= dict(cache_implementation="static", compile_config=compiled)
    prompt = batch["input_ids"].shape[1]

    @torch.no_grad()
    def run():
        if "prefix" in chosen:
            cache = DynamicCache(config=model.config)
            model.model.rope_deltas = None
            head = {name: batch[name][:, :-1] for name in ("input_ids", "attention_mask", "mm_token_type_ids")}
            model(**head, pixel_values=batch["pixel_values"], image_grid_thw=batch["image_grid_thw"], past_key_values=cache, logits_to_keep=1)
            cache.batch_repeat_interleave(group)
            model.model.rope_deltas = model.model.rope_deltas.repeat_interleave(group, 0)
            repeated = {name: batch[name].repeat_interleave(group, 0) for name in ("input_ids", "attention_mask")}
            out = model.generate(**repeated, past_key_values=cache, **options)
        else:
            out = model.generate(**batch, num_return_sequences=group, **options)
        made = out[:, prompt:]
        if made.shape != (count * group, asked["newTokens"]):
            raise RuntimeError(f"generate made {tuple(made.shape)} tokens")
        return float(made.numel())

    tokens = int(batch["attention_mask"].sum())
    return dict(run=run, work=dict(rows=count * group, images=count, promptTokens=tokens, newTokens=count * group * asked["newTokens"], parameters=parameters(model)))
