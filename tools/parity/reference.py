"""The Hugging Face side of the parity suite: random-weight Qwen2.5-VL models, their inputs and their outputs.

    python reference.py build OUT [--fixtures | --only NAME]   writes OUT/<case>/ (see `build`)
    python reference.py check DIR REFERENCE          loads DIR (saved by TypeScript), prints how far it is from REFERENCE's logits (JSON)

Needs torch, transformers (>= 5) and pillow; OUT/tokenizer must hold the tokenizer files that run.ts writes.
"""
import json
import os
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.image_utils import load_image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

from common import load, positions_of, processor_of

# hidden, intermediate, layers, heads, kv heads, mrope sections, theta | depth, hidden, intermediate, heads, patch, window, full attention
CASES = {
    # The proportions of the published 3B: tied, 8 query heads to a key head, patches of 14 in windows of 112, a full block in four.
    "3b-like": dict(tie=True, dtype="bfloat16", shards=None, text=(512, 688, 4, 16, 2, [4, 6, 6], 1e6), vision=(8, 80, 216, 4, 14, 112, [3, 7])),
    # Those of the 7B: untied, 7 query heads to a key head, in shards.
    "7b-like": dict(tie=False, dtype="bfloat16", shards="2MB", text=(448, 592, 3, 28, 4, [2, 3, 3], 1e6), vision=(4, 80, 216, 4, 14, 112, [1, 3])),
    # The shipped model's shape; every row's images are whole windows or ragged ones.
    "tiny": dict(tie=True, dtype="float32", shards=None, text=(192, 512, 4, 6, 2, [4, 6, 6], 1e4), vision=(4, 128, 256, 4, 8, 32, [1, 3])),
    # Untied, odd head counts, windows of 3 x 3 tokens, stored as f16.
    "untied": dict(tie=False, dtype="float16", shards=None, text=(96, 160, 3, 3, 1, [4, 7, 5], 1e6), vision=(3, 48, 100, 3, 8, 48, [2])),
    # The published patch and window size, deeper vision, stored as bf16 in shards.
    "deep": dict(tie=False, dtype="bfloat16", shards="300KB", text=(128, 256, 2, 8, 2, [2, 3, 3], 1e6), vision=(8, 64, 120, 2, 14, 112, [3, 7])),
    # 7 heads in one group, one full block only, no window block after it.
    "groups": dict(tie=True, dtype="float32", shards=None, text=(112, 96, 3, 7, 7, [2, 3, 3], 1e5), vision=(2, 32, 64, 1, 4, 16, [0])),
    # Small enough to be committed as fixtures.
    "fixture-tied": dict(tie=True, dtype="float32", shards=None, text=(32, 48, 2, 4, 2, [2, 1, 1], 1e4), vision=(2, 16, 24, 2, 4, 16, [1])),
    "fixture-untied": dict(tie=False, dtype="bfloat16", shards="20KB", text=(24, 40, 2, 3, 1, [1, 2, 1], 1e6), vision=(3, 16, 20, 1, 4, 16, [1])),
}


def config_of(case, tokenizer):
    hidden, intermediate, layers, heads, kv, section, theta = case["text"]
    depth, width, vision_intermediate, vision_heads, patch, window, full = case["vision"]
    ids = tokenizer.convert_tokens_to_ids
    text = dict(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv, rms_norm_eps=1e-6, max_position_embeddings=2048, rope_parameters=dict(rope_type="default", rope_theta=theta, mrope_section=section),
        bos_token_id=None, eos_token_id=ids("<|im_end|>"), pad_token_id=ids("<|endoftext|>"),
    )
    vision = dict(
        depth=depth, hidden_size=width, intermediate_size=vision_intermediate, num_heads=vision_heads, patch_size=patch, window_size=window,
        fullatt_block_indexes=full, out_hidden_size=hidden, spatial_merge_size=2, temporal_patch_size=2, in_channels=3, tokens_per_second=2,
    )
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=case["tie"], image_token_id=ids("<|image_pad|>"), video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"), vision_end_token_id=ids("<|vision_end|>"),
    )


def randomize(model, seed):
    """Weights large enough that every part of the model shows in the logits; biases and norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.ndim == 1:
            p.data = (1 + 0.2 * noise) if "norm" in name or "ln_q" in name else 0.2 * noise
        elif "embed_tokens" in name or "lm_head" in name:
            p.data = noise * 0.3
        else:
            p.data = noise / (p[0].numel() ** 0.5)


def images_of(directory, factor, small):
    """Images by name: sizes that need no resize (whole and ragged windows), sizes that do, and odd modes."""
    rng = np.random.default_rng(7)

    def picture(width, height, channels=3):
        y, x = np.mgrid[0:height, 0:width]
        smooth = np.stack([127 + 127 * np.sin(x / (3 + c) + y / (5 + c) + c) for c in range(channels)], -1)
        return np.clip(smooth * 0.7 + rng.integers(0, 77, (height, width, channels)), 0, 255).astype(np.uint8)

    f = factor
    images = {"square.png": Image.fromarray(picture(4 * f, 4 * f)), "ragged.png": Image.fromarray(picture(5 * f, 3 * f)), "resized.png": Image.fromarray(picture(53, 37))}
    if not small:
        images |= {
            "wide.png": Image.fromarray(picture(7 * f, 2 * f)), "shrunk.png": Image.fromarray(picture(417, 293)), "extreme.png": Image.fromarray(picture(300, 9)),
            "one.png": Image.fromarray(picture(1, 1)), "grey.png": Image.fromarray(picture(61, 47, 1)[..., 0]), "alpha.png": Image.fromarray(picture(45, 66, 4)),
            "palette.png": Image.fromarray(picture(70, 50)).quantize(32), "photo.jpg": Image.fromarray(picture(90, 61)),
            "huge.jpg": Image.fromarray(picture(2600, 1900)), "tall.png": Image.fromarray(picture(5, 700)), "grey-alpha.png": Image.fromarray(picture(52, 39, 2), "LA"),
            "bits.png": Image.fromarray(picture(33, 58, 1)[..., 0]).convert("1"), "lossless.webp": Image.fromarray(picture(75, 44)),
        }
    for name, image in images.items():
        image.save(os.path.join(directory, name), **({"quality": 90} if name.endswith("jpg") else {"lossless": True} if name.endswith("webp") else {}))
    rotated = {} if small else {"rotated.jpg": 6, "mirrored.jpg": 5, "upside-down.jpg": 3}
    for name, orientation in rotated.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        images["photo.jpg"].save(os.path.join(directory, name), quality=92, exif=exif)
    return [*images, *rotated]


def prompts_of(names):
    user = lambda images, text: {"role": "user", "content": [*({"type": "image", "image": name} for name in images), {"type": "text", "text": text}]}
    prompts = [[user([name], "What is it? A: café, B: 737-800 <think>")] for name in names]
    prompts.append([{"role": "system", "content": "Answer shortly."}, user(names[:2], "Two images.\nWhich is\tlarger?"), {"role": "assistant", "content": "<think>the first</think> <answer>A</answer>"}])
    if len(names) > 3:
        prompts.append([user(names[3:6], "Three images."), {"role": "assistant", "content": "<answer>the last</answer>"}, user(names[1:2], "And this one?")])
    prompts.append([user([], "No image here, naïve 你好 🙂.")])
    return prompts


FRAGMENTS = [
    "The image shows a bird", " with red feathers", "<think>", "</think>", " <answer>", "</answer>", "<|im_start|>user\n", "<|im_end|>", "<|vision_start|><|image_pad|><|vision_end|>",
    "it's", " IT'S", " we'LL", "you\u2019re", " 737-800", "1234567890", "  two  spaces ", "\n\n  indented\n", "\t\ttabs", "\r\nwindows", " ", "   ", "\u00a0nbsp", "\u3000wide",
    "caf\u00e9", "cafe\u0301", "na\u00efve", "\u212bngstr\u00f6m", "\ufb01ne", "\u4f60\u597d\uff0c\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f", "\ud55c\uad6d\uc5b4", "\u0645\u0631\u062d\u0628\u0627",
    "\u0928\u092e\u0938\u094d\u0924\u0947", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac", "\U0001f642", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1eb\U0001f1f7", "\u2764\ufe0f",
    "def f(x):\n    return x**2  # no", "<div class=\"a\">", "{\"a\": [1, 2.5e-3]}", "a_b-c/d\\\\e", "...!?", "$%^&*()", "A: cat, B: dog", "<|not_a_token|>", "<thinking>", "\u0660\u0661", "\u00bd", "\u2167", "_", "",
]


def token_cases(tokenizer, count=300):
    """Random strings of fragments, their ids and their text without special tokens."""
    rng = np.random.default_rng(11)
    cases = []
    for i in range(count):
        text = FRAGMENTS[i] if i < len(FRAGMENTS) else "".join(FRAGMENTS[j] for j in rng.integers(0, len(FRAGMENTS), rng.integers(2, 9)))
        ids = tokenizer(text, add_special_tokens=False).input_ids
        cases.append(dict(text=text, ids=ids, decoded=tokenizer.decode(ids, skip_special_tokens=True)))
    return cases


def build(out, name, case):
    root = os.path.join(out, name)
    model_dir, image_dir = os.path.join(root, "model"), os.path.join(root, "images")
    os.makedirs(image_dir, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(os.path.join(out, "tokenizer"))
    model = Qwen2_5_VLForConditionalGeneration(config_of(case, tokenizer)).eval()
    randomize(model, sum(map(ord, name)))
    dtype = getattr(torch, case["dtype"])
    model.to(dtype).save_pretrained(model_dir, **({"max_shard_size": case["shards"]} if case["shards"] else {}))
    # The weights as stored, computed in 32 bits; loaded anew, since `.to` also rounds the rotary frequencies.
    model = load(model_dir)
    patch = case["vision"][4]
    factor = 2 * patch
    processor = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 4 * factor**2, "longest_edge": 40 * factor**2})
    for file in os.listdir(os.path.join(out, "tokenizer")):
        with open(os.path.join(out, "tokenizer", file)) as source, open(os.path.join(model_dir, file), "w") as target:
            target.write(source.read())
    processor.save_pretrained(model_dir)
    full = processor_of(root)
    small = name.startswith("fixture")
    torchvision = Qwen2VLImageProcessor.from_pretrained(model_dir)
    rows, tensors, differs = [], {}, []
    for i, messages in enumerate(prompts_of(images_of(image_dir, factor, small))):
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        files = [part["image"] for m in messages if isinstance(m["content"], list) for part in m["content"] if part["type"] == "image"]
        images = [load_image(os.path.join(image_dir, file)) for file in files]
        batch = full(text=[text], images=images or None, return_tensors="pt")
        with torch.no_grad():
            positions, delta = positions_of(model, batch)
            logits = model(**batch, use_cache=False).logits[0]
        every = 7 if small else 1
        tensors[f"{i}.log_probs"] = logits[:-1].log_softmax(-1).gather(1, batch.input_ids[0, 1:, None])[:, 0].contiguous()
        tensors[f"{i}.logits"] = logits[::every].contiguous()
        if files:
            # No fixture of what TypeScript computes from the same 8-bit pixels by the same table: a quarter of the patches will do.
            other = torchvision(images=images, return_tensors="pt")["pixel_values"]
            steps = (other - batch["pixel_values"]).abs() * torch.tensor(processor.image_std).repeat_interleave(2 * patch**2) * 255
            differs.append(dict(images=files, largest=steps.max().item(), share=(steps > 0.5).float().mean().item()))
            tensors[f"{i}.pixel_values"] = batch["pixel_values"][:: 4 if small else 1].contiguous()
        rows.append(dict(
            messages=messages, text=text, images=files, input_ids=batch.input_ids[0].tolist(), position_ids=positions[:, 0].tolist(), rope_delta=int(delta[0, 0]),
            image_grid_thw=batch["image_grid_thw"].tolist() if files else [], logits_every=every, patches_every=4 if small else 1))
    save_file(tensors, os.path.join(root, "reference.safetensors"))
    with open(os.path.join(root, "reference.json"), "w") as file:
        json.dump(dict(transformers=transformers.__version__, torchvision=differs, rows=rows), file, ensure_ascii=False)
    if name == "fixture-tied":
        with open(os.path.join(root, "tokens.json"), "w") as file:
            json.dump(token_cases(tokenizer), file)
    print(f"{name}: {sum(p.numel() for p in model.parameters())} parameters, {len(rows)} prompts")


def check(directory, root):
    """Loads what TypeScript saved and compares its logits with the reference's."""
    model, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, output_loading_info=True, dtype=torch.float32)
    model.eval()
    problems = {key: list(value) for key, value in info.items() if value}
    reference = load_file(os.path.join(root, "reference.safetensors"))
    with open(os.path.join(root, "reference.json")) as file:
        rows = json.load(file)["rows"]
    worst = 0.0
    for i, row in enumerate(rows):
        if row["patches_every"] != 1:
            continue
        ids = torch.tensor([row["input_ids"]])
        kwargs = dict(pixel_values=reference[f"{i}.pixel_values"], image_grid_thw=torch.tensor(row["image_grid_thw"])) if row["images"] else {}
        with torch.no_grad():
            model.model.rope_deltas = None
            logits = model(input_ids=ids, mm_token_type_ids=(ids == model.config.image_token_id).int(), use_cache=False, **kwargs).logits[0]
        wanted = reference[f"{i}.logits"]
        worst = max(worst, ((logits[:: row["logits_every"]] - wanted).abs() / wanted.abs().clamp(min=1)).max().item())
    print(json.dumps(dict(problems=len(problems), logits=worst, report=str(problems))))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2], sys.argv[3])
    else:
        only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
        for name, case in CASES.items():
            if name.startswith("fixture") == ("--fixtures" in sys.argv) if only is None else name.startswith(only):
                build(sys.argv[2], name, case)
