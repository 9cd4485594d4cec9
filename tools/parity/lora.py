"""The PEFT side of the parity suite: adapters on the models that reference.py built.

    python lora.py build DIR [--small]     writes DIR/adapters/<name>/ (PEFT's files, and logits.safetensors of the adapted model)
    python lora.py check DIR               loads what TypeScript saved, DIR/resaved/<name>/{adapter,merged}, prints how far from those logits (JSON)

Needs what common.py needs, and peft. DIR holds `model`, `images` and `reference.json`. With `--small` few logits are
kept, for fixtures; `check` wants all.
"""
import json
import os
import sys
import warnings

import peft
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from common import inputs_of, load

ADAPTERS = {
    "attention": dict(r=4, lora_alpha=8, lora_dropout=0.1, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
    "all-linear": dict(r=3, lora_alpha=5, use_rslora=True, target_modules="all-linear", rank_pattern={"down_proj": 2}, alpha_pattern={r"layers\.1\.mlp\.up_proj": 9}),
    "regex": dict(r=2, lora_alpha=4, target_modules=r"(?!.*visual).*\.(gate_proj|up_proj)|.*merger\.mlp\.0"),
}
# One adapter a model; the fixtures take all.
ADAPTER_OF = {"3b-like": "all-linear", "7b-like": "attention", "tiny": "regex", "untied": "all-linear", "deep": "attention", "groups": "regex"}


def logits_of(model, batches, every=1):
    logits = {}
    with torch.no_grad():
        for i, batch in enumerate(batches):
            inner = model.get_base_model() if isinstance(model, PeftModel) else model
            inner.model.rope_deltas = None
            logits[str(i)] = model(**batch, use_cache=False).logits[0, ::every].contiguous().clone()
    return logits


def distance(ours, reference):
    return max(((ours[key] - reference[key]).abs() / reference[key].abs().clamp(min=1)).max().item() for key in reference)


def build(root, small):
    batches = inputs_of(root)
    chosen = ADAPTER_OF.get(os.path.basename(root))
    for name, options in ADAPTERS.items():
        if chosen not in (None, name):
            continue
        directory = os.path.join(root, "adapters", name)
        base = load(os.path.join(root, "model"))
        plain = logits_of(base, batches)
        torch.manual_seed(sum(map(ord, root.rsplit("/", 1)[-1] + name)))
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
        with torch.no_grad():  # larger ones make the deep models amplify rounding: PEFT's own merge then differs by 6e-5
            for parameter_name, parameter in model.named_parameters():
                if "lora_" in parameter_name:
                    parameter.normal_(std=0.25 * parameter.shape[1] ** -0.5)
        every = 16 if small else 1
        logits = logits_of(model, batches, every)
        model.peft_config["default"].base_model_name_or_path = "model"  # not the temporary folder
        model.save_pretrained(directory)
        readme = os.path.join(directory, "README.md")
        if os.path.exists(readme):
            os.remove(readme)
        save_file(logits, os.path.join(directory, "logits.safetensors"), metadata=dict(every=str(every), peft=peft.__version__))
        moved = distance({key: plain[key][::every] for key in plain}, logits)
        merged = distance(logits_of(model.merge_and_unload(), batches, every), logits)
        print(f"{root.rsplit('/', 1)[-1]}/{name}: moves logits by {moved:.2f}; PEFT's own merge differs by {merged:.1e}")


def check(root):
    """How far every adapter that TypeScript saved is, and every model with one merged, by the adapter's name."""
    batches, report = inputs_of(root), {}
    for name in sorted(os.listdir(os.path.join(root, "resaved"))):
        saved, merged = (os.path.join(root, "resaved", name, what) for what in ("adapter", "merged"))
        made_by_peft = os.path.join(root, "adapters", name)
        reference = load_file(os.path.join(made_by_peft, "logits.safetensors"))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="(?i).*missing adapter keys")  # PEFT only warns about those
            adapted = PeftModel.from_pretrained(load(os.path.join(root, "model")), saved).eval()
        stored, theirs = (load_file(os.path.join(directory, "adapter_model.safetensors")) for directory in (saved, made_by_peft))
        report[name] = dict(problems=len(set(stored) ^ set(theirs)), adapter=distance(logits_of(adapted, batches), reference), merged=distance(logits_of(load(merged), batches), reference))
    print(json.dumps(report))


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(sys.argv[2])
    else:
        build(sys.argv[2], "--small" in sys.argv)
