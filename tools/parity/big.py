"""The Hugging Face side of big.ts: `python big.py DIR TOKENS GRID` reads DIR/model, DIR/prompt.json and DIR/pixels.safetensors.

Writes DIR/theirs.json and the first token's logits as DIR/theirs.safetensors. Weights are widened to float32 and computed in float32.
"""
import json
import os
import sys
import time

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLForConditionalGeneration

torch.set_num_threads(os.cpu_count())
transformers.utils.logging.disable_progress_bar()
directory, tokens, grid = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])


def peak_gib():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 2**20


start = time.time()
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(os.path.join(directory, "model"), dtype=torch.float32).eval()
load_seconds = time.time() - start
with open(os.path.join(directory, "prompt.json")) as file:
    input_ids = torch.tensor([json.load(file)])
inputs = dict(
    input_ids=input_ids, attention_mask=torch.ones_like(input_ids), pixel_values=load_file(os.path.join(directory, "pixels.safetensors"))["pixel_values"],
    image_grid_thw=torch.tensor([grid]), mm_token_type_ids=(input_ids == model.config.image_token_id).int(),
)
times = []


class Clock(transformers.generation.streamers.BaseStreamer):
    def put(self, value):
        times.append(time.time())

    def end(self):
        pass


with torch.no_grad():
    start = time.time()
    out = model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, output_logits=True, return_dict_in_generate=True, streamer=Clock(), eos_token_id=None)
save_file({"logits": out.logits[0].float().contiguous()}, os.path.join(directory, "theirs.safetensors"))
made = times[-tokens:]  # the streamer gets the prompt first
report = dict(
    versions=dict(python=sys.version.split()[0], torch=torch.__version__, transformers=transformers.__version__),
    loadSeconds=load_seconds, firstTokenSeconds=made[0] - start, secondsPerToken=(made[-1] - made[0]) / (tokens - 1), peakGib=peak_gib(),
    tokenIds=out.sequences[0, input_ids.shape[1]:].tolist(),
)
with open(os.path.join(directory, "theirs.json"), "w") as file:
    json.dump(report, file)
