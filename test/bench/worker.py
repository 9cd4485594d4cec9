"""The peer's side of a case in a process of its own, as `worker.ts` is ours:

    .venv-bench/bin/python test/bench/worker.py CASE VARIANT      CASE is peers/CASE.py, `-` read as `_`
"""
import gc
import importlib
import json
import os
import sys
import time
import traceback

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ.setdefault(name, "2")
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="true")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else is printed goes to stderr


def say(**message):
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def timed(case):
    start = time.perf_counter()
    value = case["run"]()
    return dict(seconds=time.perf_counter() - start, value=float(value))


def main(name, variant=""):
    import torch

    torch.set_num_threads(2)
    module = importlib.import_module(name.replace("-", "_"))
    start = time.perf_counter()
    case = module.set_up(variant)
    case = case if isinstance(case, dict) else dict(run=case.run, work=case.work)
    first = timed(case)
    versions = {"python": sys.version.split()[0], **{name: sys.modules[name].__version__ for name in ("torch", "torchvision", "transformers", "trl", "PIL") if name in sys.modules}}
    say(ready=True, setUpSeconds=time.perf_counter() - start, firstSeconds=first["seconds"], value=first["value"], work=case["work"], versions=versions)
    for line in sys.stdin:
        if line.strip() == "exit":
            break
        gc.collect()  # not within the time
        say(**timed(case))


try:
    main(*sys.argv[1:])
except Exception as error:
    traceback.print_exc()
    say(error=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}")
    os._exit(1)
os._exit(0)  # no waiting for threads that a library left running
