"""What transformers and TRL make of a case beyond its logits: padding, greedy tokens, loss, gradients, the assistant's mask.

    python training.py DIR [--small]     writes DIR/training.json and DIR/training.safetensors

Needs what reference.py needs, and trl. DIR holds `model`, `images`, `reference.json` and `conversations.json` (written by run.ts).
"""
import json
import os
import sys

import torch
import trl
from safetensors.torch import save_file
from transformers.image_utils import load_image
from trl.chat_template_utils import qwen2_5_vl_training_chat_template

from common import batch_of, images_of_row, load, positions_of, processor_of, rows_of

NEW_TOKENS = 64


def chosen_rows(rows):
    """A ragged image, a resized one, two or three images in a prompt, and text alone: their places among the rows."""
    return sorted({1, 2, len(rows) - 3, len(rows) - 2, len(rows) - 1})


def padding(model, root, rows):
    """Positions of the real tokens and logits of the last one, for both sides of padding."""
    result, logits = {}, {}
    for side in ("left", "right"):
        batch = batch_of(root, rows, side)
        positions, _ = positions_of(model, batch)
        real = batch.attention_mask.bool()
        result[side] = [positions[:, b, real[b]].tolist() for b in range(len(rows))]
        with torch.no_grad():
            out = model(**batch, use_cache=False).logits
        model.model.rope_deltas = None
        logits[side] = torch.stack([out[b, real[b]][-1] for b in range(len(rows))])
    return result, logits


def greedy(model, processor, root, rows):
    """64 greedy tokens a prompt, none of them an image's, with the margin to the second best and their log-probs."""
    banned = [model.config.image_token_id, model.config.video_token_id]
    model.generation_config.eos_token_id = None
    results = []
    for row in rows:
        batch = processor(text=[row["text"]], images=images_of_row(root, row) or None, return_tensors="pt")
        out = model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS, suppress_tokens=banned, output_logits=True, return_dict_in_generate=True, pad_token_id=0)
        model.model.rope_deltas = None
        tokens = out.sequences[0, batch.input_ids.shape[1]:]
        logits = torch.stack(out.logits, 0)[:, 0].float()
        log_probs = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
        logits[:, banned] = -torch.inf
        best = logits.topk(2, -1).values
        results.append(dict(tokens=tokens.tolist(), margins=(best[:, 0] - best[:, 1]).tolist(), log_probs=log_probs.tolist()))
    return results


def loss_and_gradients(model, root, rows):
    """transformers' own loss of a right-padded batch, on every token that is neither padding nor an image's, and its gradients."""
    batch = batch_of(root, rows, "right")
    ids, config = batch.input_ids, model.config
    labels = ids.masked_fill(batch.attention_mask == 0, -100)
    for token in (config.image_token_id, config.vision_start_token_id, config.vision_end_token_id):
        labels = labels.masked_fill(ids == token, -100)
    model.zero_grad()
    loss = model(**batch, labels=labels, use_cache=False).loss
    loss.backward()
    model.model.rope_deltas = None
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    return loss.item(), gradients


def records(model, processor, root):
    """TRL's assistant-only loss: ids, mask and loss of each conversation, rendered by its training template."""
    with open(os.path.join(root, "conversations.json")) as file:
        conversations = json.load(file)
    rows, total, count = [], 0.0, 0
    for messages in conversations:
        names = [part["image"] for m in messages if isinstance(m["content"], list) for part in m["content"] if part["type"] == "image"]
        for message in messages:
            if isinstance(message["content"], list):
                for part in message["content"]:
                    if part["type"] == "image":
                        part["image"] = load_image(os.path.join(root, "images", part["image"]))
            else:
                message["content"] = [{"type": "text", "text": message["content"]}]
        out = processor.apply_chat_template([messages], chat_template=qwen2_5_vl_training_chat_template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, return_tensors="pt")
        mask = torch.as_tensor(out.pop("assistant_masks"))
        labels = out["input_ids"].masked_fill(mask == 0, -100)
        n = int((labels[:, 1:] != -100).sum())
        with torch.no_grad():
            total += model(**out, labels=labels, use_cache=False).loss.item() * n
        model.model.rope_deltas = None
        count += n
        rows.append(dict(input_ids=out["input_ids"][0].tolist(), assistant_mask=mask[0].tolist(), images=names))
    return dict(rows=rows, loss=total / count, tokens=count)


def main(root):
    model, processor = load(os.path.join(root, "model")), processor_of(root)
    all_rows = rows_of(root)
    places = chosen_rows(all_rows)
    rows = [all_rows[i] for i in places]
    positions, padded_logits = padding(model, root, rows)
    loss, gradients = loss_and_gradients(model, root, rows)
    report = dict(trl=trl.__version__, rows=places, positions=positions, loss=loss, records=records(model, processor, root), greedy=greedy(model, processor, root, rows))
    save_file({f"gradient.{name}": g.contiguous() for name, g in gradients.items()} | {f"padded.{side}": x.contiguous() for side, x in padded_logits.items()}, os.path.join(root, "training.safetensors"))
    with open(os.path.join(root, "training.json"), "w") as file:
        json.dump(report, file)
    print(f"{os.path.basename(root)}: {len(gradients)} gradients, loss {loss:.4f}, TRL's loss {report['records']['loss']:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
