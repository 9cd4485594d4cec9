"""`matmul` in PyTorch, eager."""
import numpy as np
import torch

from train_step import pseudo_random
from variant import words


def set_up(variant):
    chosen = words(variant)
    n, products = chosen.get("n", 1024), chosen.get("products", 20)
    a, b = (torch.from_numpy((pseudo_random(stream, n * n) - 0.5).astype(np.float32).reshape(n, n)) for stream in (1, 2))

    def run():
        for _ in range(products):
            c = a @ b
        return c.norm().item()

    return dict(run=run, work=dict(products=products, flops=products * 2 * n**3))
