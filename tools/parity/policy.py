"""The published formulas of advantages, DAPO's policy loss with its dual clip, and TAPO's terms, in PyTorch with autograd.

    python policy.py FILE     writes FILE (JSON): batches, and what the formulas make of them

Written from the paper (arXiv 2602.07605), DAPO (arXiv 2503.14476) and the dual clip of arXiv 1912.09729, token by token, in 64
bits; shares nothing with lib/loss.
"""
import json
import math
import sys

import torch

LOW, HIGH, DUAL, LOG_RATIO, KL_CLAMP = 0.2, 0.28, 3.0, 20.0, 10.0
GAMMA, ETA_1, ETA_2 = 0.01, 0.03, 0.03


def advantages_of(rewards):
    """(R - mean) / (std + 1e-6) in a group, std unbiased."""
    rewards = torch.tensor(rewards, dtype=torch.float64)
    return ((rewards - rewards.mean()) / (rewards.std(unbiased=True) + 1e-6)).tolist()


def token_policy_loss(log_prob, old_log_prob, advantage):
    """One token: max(-A r, -A clip(r, 1 - low, 1 + high)), and where A < 0 at most -3 A."""
    ratio = torch.exp(torch.clamp(log_prob - old_log_prob, -LOG_RATIO, LOG_RATIO))
    loss = torch.maximum(-advantage * ratio, -advantage * torch.clamp(ratio, 1 - LOW, 1 + HIGH))
    return torch.clamp(loss, max=-DUAL * advantage) if advantage < 0 else loss


def token_k3(log_prob, negative_log_prob):
    """One token's estimate of KL[pi(.|image) || pi(.|negative)]."""
    d = torch.clamp(negative_log_prob - log_prob, -LOG_RATIO, LOG_RATIO)
    return torch.clamp(torch.exp(d) - d - 1, -KL_CLAMP, KL_CLAMP)


def losses_of(batch, through_negative):
    """All terms of a mini-batch as means over its response tokens, and the gradients of the whole loss."""
    log_probs, negative = (torch.tensor(batch[key], dtype=torch.float64, requires_grad=True) for key in ("log_probs", "negative_log_probs"))
    old = torch.tensor(batch["old_log_probs"], dtype=torch.float64)
    places = [(b, t) for b, row in enumerate(batch["mask"]) for t, on in enumerate(row) if on]
    seen = negative if through_negative else negative.detach()
    mean = lambda values: torch.stack(values).mean()
    policy = mean([token_policy_loss(log_probs[p], old[p], batch["advantages"][p[0]]) for p in places])
    k3 = mean([token_k3(log_probs[p], seen[p]) for p in places])
    entropy, negative_entropy = -mean([log_probs[p] for p in places]), -mean([seen[p] for p in places])
    loss = policy - GAMMA * k3 + ETA_1 * entropy + ETA_2 * negative_entropy
    policy_gradient, = torch.autograd.grad(policy, log_probs, retain_graph=True)
    loss.backward()
    zeros = torch.zeros_like(negative)
    return dict(
        policy=policy.item(), k3=k3.item(), entropy=entropy.item(), negative_entropy=negative_entropy.item(), loss=loss.item(), policy_gradient=policy_gradient.tolist(),
        gradient=log_probs.grad.tolist(), negative_gradient=(zeros if negative.grad is None else negative.grad).tolist())


def batch_of(seed, spread):
    """A group of ten responses; `spread` decides how far the log-ratios go beyond the clips."""
    generator = torch.Generator().manual_seed(seed)
    count, length = 10, 7
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    rewards = [round(0.9 * float(x > 0) + 0.1 * float(y > -0.5), 1) for x, y in zip(draw(count), draw(count))]
    rewards[:2] = [1.0, 0.1]  # never all equal
    log_probs = -draw(count, length).abs()
    lengths = torch.randint(1, length + 1, (count,), generator=generator).tolist()
    as_floats = lambda x: x.float().tolist()  # what 32 bits hold, so that both sides read the same
    return dict(
        rewards=rewards, advantages=advantages_of(rewards), log_probs=as_floats(log_probs), old_log_probs=as_floats(log_probs + spread * draw(count, length)),
        negative_log_probs=as_floats(log_probs + spread * draw(count, length) - 0.5), mask=[[int(t < n) for t in range(length)] for n in lengths])


def main(file):
    cases = []
    for seed, spread in enumerate([0.05, 0.3, 1.0, 3.0, 15.0]):
        batch = batch_of(seed, spread)
        cases.append(dict(**batch, spread=spread, paper=losses_of(batch, True), release=losses_of(batch, False)))
    assert all(math.isfinite(case["paper"]["loss"]) for case in cases)
    with open(file, "w") as out:
        json.dump(dict(torch=torch.__version__, cases=cases), out)
        out.write("\n")
    print(f"{len(cases)} batches of ten responses; losses " + ", ".join(f"{case['paper']['loss']:.3f}" for case in cases))


if __name__ == "__main__":
    main(sys.argv[1])
