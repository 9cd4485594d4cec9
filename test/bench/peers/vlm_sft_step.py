"""`vlm-sft-step` in transformers and PyTorch: the model's forward pass with images, cross entropy on the response, gradients, clipping,
AdamW (fused). Variants: `compile` (torch.compile) or eager, `bf16` (autocast), `steps=N` a run.

As fast as the library allows: positions and patches are made before, no padding mask (rows are padded on the right and attention is
causal), and `logits_to_keep` leaves out the places before the first response.
"""
import torch

from vlm import ask, inputs, load_model, parameters, words

ROWS = 16


def set_up(variant):
    chosen = words(variant)
    asked = ask("rows", ROWS)
    model = load_model(asked).train()
    batch = inputs(asked, model, "right")
    positions, _ = model.model.get_rope_index(batch["input_ids"], mm_token_type_ids=batch["mm_token_type_ids"], image_grid_thw=batch["image_grid_thw"], attention_mask=batch["attention_mask"])
    batch.pop("attention_mask")
    length = batch["input_ids"].shape[1]
    first = min(row["predicted"].index(True) for row in asked["rows"])
    targets = torch.tensor([[token if told else -100 for token, told in zip(row["inputIds"], row["predicted"])] + [-100] * (length - len(row["inputIds"])) for row in asked["rows"]])[:, first:]
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([dict(params=matrices, weight_decay=0.1), dict(params=others, weight_decay=0.0)], lr=3e-4, betas=(0.9, 0.98), fused=True)

    def loss_of():
        out = model(**batch, position_ids=positions, use_cache=False, logits_to_keep=length - first + 1)
        return torch.nn.functional.cross_entropy(out.logits[:, :-1].float().flatten(0, 1), targets.flatten(), ignore_index=-100)

    if "compile" in chosen:  # the parts in which the time goes; the whole model compiles for a minute into 38 graphs that are no faster
        model.model.language_model.compile(dynamic=False)
        for block in model.model.visual.blocks:
            block.compile(dynamic=False)

    steps = chosen.get("steps", 5)

    def run():
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in chosen):
                loss = loss_of()
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            norm.item()
            value = loss.item()
        return value

    told = sum(sum(row["predicted"]) for row in asked["rows"])
    return dict(run=run, work=dict(steps=steps, rows=ROWS, images=ROWS, tokens=sum(len(row["inputIds"]) for row in asked["rows"]), responseTokens=told, parameters=parameters(model)))
