"""Stage 1 of Fine-R1 with TRL: python sft.py --config sft.yaml

Loss on the assistant's turn alone, up to the special token that closes it.
"""
from trl import ModelConfig, SFTConfig, SFTTrainer, TrlParser
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from training import AsInFineR1, FineR1Arguments, adapter_of, processor_of, rows_of, train


class UpToEnd(DataCollatorForVisionLanguageModeling):
    """TRL's collator without a label for what the chat template writes behind the closing token (a line break)."""

    def torch_call(self, examples):
        batch = super().torch_call(examples)
        end = self.processor.tokenizer.eos_token_id
        for ids, labels in zip(batch["input_ids"], batch["labels"]):
            closed = ((ids == end) & (labels != -100)).nonzero()
            if len(closed):
                labels[closed[-1].item() + 1 :] = -100
        return batch


class Sft(AsInFineR1, SFTTrainer):
    """SFT under this run's optimizer."""


def trainer_of(argv=None):
    """The trainer that the command line and its --config ask for."""
    arguments, config, model = TrlParser((FineR1Arguments, SFTConfig, ModelConfig)).parse_args_and_config(argv)
    processor = processor_of(model, arguments)
    config.model_init_kwargs = dict(dtype=model.dtype, attn_implementation=model.attn_implementation)
    trainer = Sft(
        model=model.model_name_or_path,
        args=config,
        train_dataset=rows_of(arguments),
        processing_class=processor,
        data_collator=UpToEnd(processor, max_length=config.max_length, completion_only_loss=True),
        peft_config=adapter_of(model, arguments),
    )
    trainer.fine_r1 = arguments
    # one mean over the tokens of an update, however it is split; transformers declares it for no Qwen2.5-VL, whose
    # micro-batches would be averaged, but the loss is TRL's own
    trainer.model_accepts_loss_kwargs = True
    trainer.freeze()
    return trainer


if __name__ == "__main__":
    train(trainer_of())
