"""Stage 2 without triplets (CLS-RL, DAPO's loss) with TRL: python grpo.py --config grpo.yaml"""
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser

from reward import accuracy_reward, format_reward
from training import AsInFineR1, FineR1Arguments, adapter_of, processor_of, rows_of, train


class Grpo(AsInFineR1, GRPOTrainer):
    """GRPO under this run's optimizer."""


def sampling_of(config):
    """`generation_kwargs` in the words of the engine that samples: vLLM has no suppress_tokens, but a bias of tokens."""
    options = dict(config.generation_kwargs or {})
    if config.use_vllm:
        banned = options.pop("suppress_tokens", None) or []
        if banned:
            options["logit_bias"] = {**options.get("logit_bias", {}), **{token: -100.0 for token in banned}}
    return options


def trainer_of(argv=None, trainer_class=Grpo):
    """The trainer that the command line and its --config ask for."""
    arguments, config, model = TrlParser((FineR1Arguments, GRPOConfig, ModelConfig)).parse_args_and_config(argv)
    config.model_init_kwargs = dict(dtype=model.dtype, attn_implementation=model.attn_implementation)
    config.generation_kwargs = sampling_of(config)
    processor = processor_of(model, arguments)
    processor.tokenizer.padding_side = "left"  # as the trainer has it where it loads the processor itself
    trainer = trainer_class(
        model=model.model_name_or_path,
        reward_funcs=[accuracy_reward, format_reward],
        args=config,
        train_dataset=rows_of(arguments),
        processing_class=processor,
        peft_config=adapter_of(model, arguments),
    )
    trainer.fine_r1 = arguments
    trainer.freeze()
    return trainer


if __name__ == "__main__":
    train(trainer_of())
