"""Hugging Face transformers on the committed base: logits for images of two sizes, as a fixture for `npm test`.

    python tools/parity/base.py        writes test/fixtures/base-logits.json (needs torch, transformers >= 5, pillow)
"""
import hashlib
import json
import os

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
BASE = os.path.join(ROOT, "data/base")
FIXTURES = os.path.join(ROOT, "test/fixtures")
torch.set_num_threads(2)

tokenizer = AutoTokenizer.from_pretrained(BASE)
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(BASE, dtype=torch.float32).eval()
processor = Qwen2_5_VLProcessor(
    image_processor=Qwen2VLImageProcessorPil.from_pretrained(BASE), tokenizer=tokenizer,
    video_processor=Qwen2VLVideoProcessor(patch_size=8, merge_size=2, temporal_patch_size=2), chat_template=tokenizer.chat_template,
)
rows = []
for width, height in [(64, 64), (96, 48)]:
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([127 + 127 * np.sin(x / (5 + c) + y / (7 + c) + c) for c in range(3)], -1).astype(np.uint8)
    name = f"base-{width}x{height}.png"
    Image.fromarray(pixels).save(os.path.join(FIXTURES, name))
    for text in ["What mammal is this? Think first.", "What vehicle is this? Options: ship, tram car, rocket, bicycle. Answer."]:
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]
        prompt = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        inputs = processor(text=[prompt], images=[Image.open(os.path.join(FIXTURES, name))], return_tensors="pt")
        with torch.no_grad():
            logits = model(**inputs).logits[0, -1]
        rows.append({"image": name, "text": text, "input_ids": inputs["input_ids"][0].tolist(), "logits": [round(v, 6) for v in logits.tolist()]})
sha = hashlib.sha256(open(os.path.join(BASE, "model.safetensors"), "rb").read()).hexdigest()
with open(os.path.join(FIXTURES, "base-logits.json"), "w") as file:
    json.dump({"model_sha256": sha, "transformers": __import__("transformers").__version__, "rows": rows}, file)
    file.write("\n")
print(len(rows), "rows;", sha[:16])
