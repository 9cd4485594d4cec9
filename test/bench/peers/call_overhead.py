"""`call-overhead` in PyTorch: an eager addition, or one through torch.compile (variant `compile`). Without gradients."""
import torch

from variant import words


def set_up(variant):
    chosen = words(variant)
    calls = chosen.get("calls", 2000)
    increment = lambda x: x + 1
    if "compile" in chosen:
        increment = torch.compile(increment, dynamic=False)

    @torch.inference_mode()
    def run():
        x = torch.zeros(16)
        for _ in range(calls):
            x = increment(x)
        return x[0].item()

    return dict(run=run, work=dict(calls=calls))
