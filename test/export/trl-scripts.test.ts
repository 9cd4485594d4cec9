/** What the Python scripts of a TRL export compute by themselves, with stand-ins for the packages that they import. */
import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../../lib/util/root";

/** Any attribute of these modules is an empty class. */
const STAND_INS = `
import json, sys, types
class Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
for name in ["torch", "datasets", "transformers", "trl", "reward"]:
    sys.modules[name] = Module(name)
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
of = types.SimpleNamespace
`;
const python = (code: string): unknown =>
  JSON.parse(
    execFileSync("python3", ["-c", STAND_INS + code, path.join(repositoryRoot(), "lib/export/python")], {
      encoding: "utf8",
      stdio: "pipe",
    }),
  );

describe("training.py", () => {
  it("decays matrices alone, by the shape that DeepSpeed keeps where a parameter is spread over devices", () => {
    const code = `
from training import AsInFineR1
def parameter(shape, whole=None):
    made = of(shape=shape, ndim=len(shape), requires_grad=True)
    if whole is not None:
        made.ds_shape = whole
    return made
class Trainer(AsInFineR1):
    optimizer = None
    args = of(weight_decay=0.1)
    fine_r1 = of(vision_learning_rate_scale=0.5)
    def get_optimizer_cls_and_kwargs(self, args):
        return (lambda groups, **options: groups), dict(lr=2.0)
def groups(**parameters):
    model = of(named_parameters=lambda: [(name.replace("_", "."), one) for name, one in parameters.items()])
    names = {id(one): name for name, one in parameters.items()}
    return [
        dict(names=[names[id(one)] for one in group["params"]], lr=group["lr"], weight_decay=group["weight_decay"])
        for group in Trainer().create_optimizer(model)
    ]
whole = dict(q=parameter((4, 3)), norm=parameter((4,)), visual_conv=parameter((4, 3, 2)), visual_bias=parameter((4,)))
spread = {name: parameter((0,), one.shape) for name, one in whole.items()}
print(json.dumps([groups(**whole), groups(**spread)]))
`;
    const groups = [
      { names: ["norm"], lr: 2, weight_decay: 0 },
      { names: ["q"], lr: 2, weight_decay: 0.1 },
      { names: ["visual_bias"], lr: 1, weight_decay: 0 },
      { names: ["visual_conv"], lr: 1, weight_decay: 0.1 },
    ];
    expect(python(code)).toEqual([groups, groups]);
  });
});

describe("grpo.py", () => {
  it("bans tokens in the words of what samples: transformers' suppress_tokens, vLLM's logit_bias", () => {
    const code = `
from grpo import sampling_of
banned = dict(suppress_tokens=[7, 9])
print(json.dumps([
    sampling_of(of(use_vllm=False, generation_kwargs=banned)),
    sampling_of(of(use_vllm=True, generation_kwargs=banned)),
    sampling_of(of(use_vllm=True, generation_kwargs=dict(banned, seed=1, logit_bias={5: 1.0}))),
    sampling_of(of(use_vllm=True, generation_kwargs=dict(suppress_tokens=[]))),
    sampling_of(of(use_vllm=True, generation_kwargs=None)),
]))
`;
    expect(python(code)).toEqual([
      { suppress_tokens: [7, 9] },
      { logit_bias: { 7: -100, 9: -100 } },
      { seed: 1, logit_bias: { 5: 1, 7: -100, 9: -100 } },
      {},
      {},
    ]);
  });
});
