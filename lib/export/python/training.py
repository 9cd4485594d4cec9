"""What sft.py and grpo.py share: data, learning rates, weight decay and schedule as Fine-R1 in TypeScript has them."""
import json
import os
from dataclasses import dataclass, field

import torch
from datasets import Dataset, Image, Sequence
from transformers import AutoProcessor
from trl import get_peft_config

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class FineR1Arguments:
    """Settings that TRL has no key for."""

    data: str = field(metadata={"help": "rows, JSON Lines beside this script"})
    vision_learning_rate_scale: float = field(default=1.0, metadata={"help": "factor on the vision tower's learning rate; 0 freezes it"})
    schedule: str = field(default="cosine", metadata={"help": "cosine or constant"})
    schedule_floor: float = field(default=0.0, metadata={"help": "share of the peak that cosine ends at"})
    schedule_steps: int = field(default=0, metadata={"help": "steps of the schedule; 0: the optimizer's"})
    schedule_warmup: int = field(default=0, metadata={"help": "steps of linear warm-up"})
    updates_per_step: int = field(default=1, metadata={"help": "updates of one step of the schedule"})
    min_pixels: int = field(default=0, metadata={"help": "pixels of an image, at least; 0: the checkpoint's"})
    max_pixels: int = field(default=0, metadata={"help": "pixels of an image, at most; 0: the checkpoint's"})


def rows_of(arguments):
    """The rows, images decoded as they are needed. Their paths count from this folder."""
    with open(os.path.join(HERE, arguments.data), encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    for row in rows:
        row["images"] = [os.path.join(HERE, image) for image in row["images"]]
    return Dataset.from_list(rows).cast_column("images", Sequence(Image(mode="RGB")))


def processor_of(model, arguments):
    """The checkpoint's processor, under the pixel limits."""
    processor = AutoProcessor.from_pretrained(model.model_name_or_path, revision=model.model_revision)
    size = dict(processor.image_processor.size)
    if arguments.min_pixels:
        size["shortest_edge"] = arguments.min_pixels
    if arguments.max_pixels:
        size["longest_edge"] = arguments.max_pixels
    # checkpoints keep the template with the processor or with the tokenizer
    processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
    processor.image_processor.size = type(processor.image_processor.size)(**size)
    return processor


def adapter_of(model, arguments):
    """PEFT's configuration, or None; a frozen vision tower has no adapter."""
    adapter = get_peft_config(model)
    if adapter is not None and arguments.vision_learning_rate_scale == 0:
        adapter.exclude_modules = r".*visual.*"
    return adapter


def is_matrix(parameter):
    """Whether a parameter has two dimensions or more. ZeRO-3 leaves an empty vector of it and keeps the shape apart."""
    return len(getattr(parameter, "ds_shape", parameter.shape)) >= 2


class AsInFineR1:
    """A trainer whose optimizer and schedule are this run's. `fine_r1` is set before training."""

    fine_r1: FineR1Arguments

    def freeze(self):
        """Takes the vision tower out of training where its learning rate is 0."""
        if self.fine_r1.vision_learning_rate_scale == 0:
            for name, parameter in self.model.named_parameters():
                if "visual." in name:
                    parameter.requires_grad_(False)

    def create_optimizer(self, model=None):
        """AdamW: a factor on the vision tower's rate, decay of matrices alone."""
        if self.optimizer is None:
            self.freeze()
            groups = {}
            for name, parameter in (model or self.model).named_parameters():
                if parameter.requires_grad:
                    groups.setdefault(("visual." in name, is_matrix(parameter)), []).append(parameter)
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            rate = options.pop("lr")
            scale = self.fine_r1.vision_learning_rate_scale
            self.optimizer = kind(
                [
                    dict(params=parameters, lr=rate * (scale if vision else 1.0), weight_decay=self.args.weight_decay if decays else 0.0)
                    # the vision tower last: trainers log the first group's rate
                    for (vision, decays), parameters in sorted(groups.items(), key=lambda one: one[0])
                ],
                **options,
            )
        return self.optimizer

    def create_scheduler(self, num_training_steps, optimizer=None):
        """Linear warm-up whose first step is not 0, then constant or cosine to a floor."""
        told = self.fine_r1
        total = told.schedule_steps or num_training_steps

        def factor(update):
            step = update // told.updates_per_step
            if told.schedule == "constant":
                return 1.0
            if step < told.schedule_warmup:
                return (step + 1) / told.schedule_warmup
            progress = min(1.0, (step - told.schedule_warmup) / max(1, total - told.schedule_warmup))
            return told.schedule_floor + (1 - told.schedule_floor) * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * progress, dtype=torch.float64)).item())

        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler


def train(trainer):
    """Trains and saves: the model or the adapter, the log and, of an adapter, the model that it makes (merged/)."""
    trainer.train()
    trainer.save_model(trainer.args.output_dir)
    trainer.save_state()
    # one process merges alone: each has all weights, since accelerate.yaml asks for ZeRO-2 where there is an adapter
    if getattr(trainer.model, "peft_config", None) and trainer.accelerator.is_main_process:
        merged = os.path.join(trainer.args.output_dir, "merged")
        trainer.accelerator.unwrap_model(trainer.model).merge_and_unload().save_pretrained(merged)
        trainer.processing_class.save_pretrained(merged)
