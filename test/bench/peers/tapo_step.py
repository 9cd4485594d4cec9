"""`tapo-step`'s peer: one optimizer step of GRPO in TRL, 32 prompts with an image x 10 completions of 60 tokens, every second one rewarded,
one update on all 320. The loop is TRL's own `train()`, in a thread of its own, held at the end of each step.

What is equal and what is not stands in `ours/tapo-step.ts`. Set for speed: no reference model (beta 0), no logs, no checkpoints, no gradient
checkpointing, fused AdamW. `b=N` is the batch of one forward and backward pass (320 / N passes are accumulated); `bf16` is autocast.
"""
import os
import tempfile
import threading

import torch
from datasets import Dataset, Features, Image, Value
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from vlm import ask, load_model, load_processor, parameters, words

os.environ["RAYON_NUM_THREADS"] = "2"  # the tokenizer's: two threads on each side
GENERATIONS = 10


class Hold(TrainerCallback):
    """Stops `train()` at the end of each step until the next is asked for."""

    def __init__(self):
        self.go, self.done, self.error = threading.Semaphore(0), threading.Semaphore(0), None

    def on_step_end(self, args, state, control, **_):
        self.done.release()
        self.go.acquire()


def set_up(variant):
    chosen = words(variant)
    groups = chosen.get("p", 32)
    rows = groups * GENERATIONS
    batch = chosen.get("b", rows)
    asked = ask("prompts", groups)
    new = asked["newTokens"]
    model = load_model(asked)
    messages = [{"role": Value("string"), "content": Value("string")}]
    dataset = Dataset.from_dict(
        {"prompt": [[{"role": "user", "content": row["user"]}] for row in asked["rows"]], "image": asked["images"]},
        features=Features({"prompt": messages, "image": Image()}),
    )
    made = []

    def reward(completions, completion_ids, **_):
        made[:] = [len(ids) for ids in completion_ids]
        return [float(i % 2) for i in range(len(completions))]

    scratch = tempfile.TemporaryDirectory()
    config = GRPOConfig(
        output_dir=scratch.name, use_cpu=True, bf16="bf16" in chosen, max_steps=10**6, per_device_train_batch_size=batch, gradient_accumulation_steps=rows // batch,
        num_generations=GENERATIONS, max_completion_length=new, temperature=asked["temperature"], top_p=asked["topP"], top_k=0, num_iterations=1, beta=0.0,
        learning_rate=1.5e-4, lr_scheduler_type="constant", weight_decay=0.01, max_grad_norm=1.0, optim="adamw_torch_fused", gradient_checkpointing=False,
        logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False, remove_unused_columns=False,
        generation_kwargs=dict(eos_token_id=None, suppress_tokens=asked["bannedTokenIds"]),
    )
    hold = Hold()
    trainer = GRPOTrainer(model=model, reward_funcs=reward, args=config, train_dataset=dataset, processing_class=load_processor(asked), callbacks=[hold])
    trainer.eos_token_ids = [-1]  # end tokens are off: nothing is cut after one

    def loop():
        torch.set_num_threads(2)  # is a thread's own
        try:
            hold.go.acquire()
            trainer.train()
        except Exception as error:
            hold.error = error
            hold.done.release()

    threading.Thread(target=loop, daemon=True).start()

    def run():
        hold.go.release()
        hold.done.acquire()
        if hold.error:
            raise hold.error
        if made != [new] * rows:
            raise RuntimeError(f"completions of {min(made)} to {max(made)} tokens, {len(made)} of them")
        return float(sum(made))

    tokens = sum(len(row["inputIds"]) for row in asked["rows"])
    return dict(run=run, work=dict(groups=groups, rows=rows, promptTokens=tokens, newTokens=rows * new, parameters=parameters(model)))
