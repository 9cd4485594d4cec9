"""`train-step` in PyTorch: the model of `ours/tiny-gpt.ts` from the same numbers. Variants: `eager` or `compile` (torch.compile), `fused`
(Adam's fused kernel), `bf16` (autocast: parameters stay float32), and sizes as on our side.
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

from variant import words

TINY = dict(v=1024, d=128, layers=4, heads=4, t=128, b=16)


def pseudo_random(stream, count):
    """The first `count` numbers of a stream, uniform in [0, 1), as `pseudoRandom` gives them."""
    x = np.sin(np.arange(count, dtype=np.float64) * 12.9898 + stream * 78.233) * 43758.5453
    return x - np.floor(x)


def shapes(v, d, layers, **_):
    layer = dict(n1=(d,), q=(d, d), k=(d, d), v=(d, d), o=(d, d), n2=(d,), g=(4 * d, d), u=(4 * d, d), d=(d, 4 * d))
    return {"emb": (v, d), **{f"l{l}.{name}": shape for l in range(layers) for name, shape in layer.items()}, "nf": (d,)}


def initial(shape, stream):
    if len(shape) == 1:
        return torch.ones(shape)
    return torch.from_numpy((0.02 * math.sqrt(3) * (2 * pseudo_random(stream, math.prod(shape)) - 1)).astype(np.float32).reshape(shape))


def loss_function(v, d, layers, heads, t, b):
    head = d // heads
    angles = torch.outer(torch.arange(t), 1 / 10000 ** (torch.arange(0, head, 2) / head))
    angles = torch.cat([angles, angles], -1)
    cos, sin = angles.cos(), angles.sin()

    def rotate(x):
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat([-second, first], -1) * sin

    def split(x):
        return x.view(b, t, heads, head).transpose(1, 2)

    def loss(p, ids, targets):
        x = p["emb"][ids]
        for l in range(layers):
            w = {name: p[f"l{l}.{name}"] for name in ("n1", "q", "k", "v", "o", "n2", "g", "u", "d")}
            h = F.rms_norm(x, (d,), w["n1"], 1e-6)
            q, k = rotate(split(F.linear(h, w["q"]))), rotate(split(F.linear(h, w["k"])))
            mixed = F.scaled_dot_product_attention(q, k, split(F.linear(h, w["v"])), is_causal=True)
            x = x + F.linear(mixed.transpose(1, 2).reshape(b * t, d), w["o"])
            h = F.rms_norm(x, (d,), w["n2"], 1e-6)
            x = x + F.linear(F.silu(F.linear(h, w["g"])) * F.linear(h, w["u"]), w["d"])
        logits = F.linear(F.rms_norm(x, (d,), p["nf"], 1e-6), p["emb"])
        return F.cross_entropy(logits.float(), targets)

    return loss


def set_up(variant):
    chosen = words(variant)
    size = {**TINY, **{name: value for name, value in chosen.items() if name in TINY}}
    steps = chosen.get("steps", 10)
    params = {name: initial(shape, stream).requires_grad_() for stream, (name, shape) in enumerate(shapes(**size).items())}
    ids, targets = (torch.from_numpy(np.floor(size["v"] * pseudo_random(stream, size["b"] * size["t"])).astype(np.int64)) for stream in (1001, 1002))
    optimizer = torch.optim.Adam(params.values(), lr=1e-3, fused="fused" in chosen)
    loss_of = loss_function(**size)
    if "compile" in chosen:
        loss_of = torch.compile(loss_of, dynamic=False)

    def run():
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled="bf16" in chosen):
                loss = loss_of(params, ids, targets)
            loss.backward()
            optimizer.step()
            value = loss.item()
        return value

    return dict(run=run, work=dict(steps=steps, tokens=size["b"] * size["t"], parameters=sum(p.numel() for p in params.values())))
