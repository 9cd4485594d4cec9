"""Runs an export's grpo.py as it is and notes what each update saw: record_grpo.py EXPORT OUT [OPTION ...]

OUT gets one JSON line an update: the prompts' ids, completions, advantages, log-probs of the policy, loss; and, from
the trainer's log, gradient norm and learning rate.
"""
import json
import os
import sys

export, out, *options = sys.argv[1:]
sys.path.insert(0, export)

import torch  # noqa: E402

import grpo  # noqa: E402


class Recorded(grpo.Grpo):
    """The export's trainer, with its numbers noted."""

    notes = None

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        output["fine_r1_ids"] = torch.tensor([row["id"] for row in inputs])
        return output

    def _get_per_token_logps_and_entropies(self, *args, **kwargs):
        result = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        self.seen = result[0].detach()
        return result

    def _compute_loss(self, model, inputs):
        loss = super()._compute_loss(model, inputs)
        mask = inputs["completion_mask"].bool()
        self.notes.append(
            dict(
                ids=inputs["fine_r1_ids"].tolist(),
                completions=[ids[one].tolist() for ids, one in zip(inputs["completion_ids"], mask)],
                log_probs=[values[one].tolist() for values, one in zip(self.seen, mask)],
                advantages=inputs["advantages"].tolist(),
                loss=loss.item(),
            )
        )
        return loss


trainer = grpo.trainer_of(["--config", os.path.join(export, "grpo.yaml"), *options], Recorded)
trainer.notes = []
grpo.train(trainer)
logged = [row for row in trainer.state.log_history if "grad_norm" in row]
with open(out, "w", encoding="utf-8") as file:
    for note, row in zip(trainer.notes, logged, strict=True):
        kept = {key: row[key] for key in ("step", "grad_norm", "learning_rate", "reward")}
        file.write(json.dumps({**note, **kept}) + "\n")
