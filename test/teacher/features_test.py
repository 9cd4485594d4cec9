"""features.py's reader of weights, on files made here; TensorFlow is not needed for it."""
import io
import pickle
import struct
import sys
import tempfile
import types
import unittest
from pathlib import Path

sys.modules["tensorflow"] = types.ModuleType("tensorflow")
sys.path.insert(0, str(Path(__file__).absolute().parents[2] / "tools/teacher"))

import features
import numpy as np


class Global:
    def __init__(self, module, name):
        self.module, self.name = module, name


class TensorPickler(pickle._Pickler):
    """Writes what PyTorch's legacy format has, without PyTorch."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_global_reference(self, one):
        self.write(pickle.GLOBAL + f"{one.module}\n{one.name}\n".encode())

    dispatch[Global] = save_global_reference

    def save_tensor(self, tensor):
        self.save(Global("torch._utils", "_rebuild_tensor_v2"))
        self.write(pickle.MARK)
        self.save(("storage", Global("torch", "FloatStorage"), "0", "cpu", tensor.count, None))
        self.write(pickle.BINPERSID)
        for value in (tensor.offset, tensor.shape, tensor.strides, False, None):
            self.save(value)
        self.write(pickle.TUPLE + pickle.REDUCE)


class Tensor:
    def __init__(self, count, offset, shape, strides):
        self.count, self.offset, self.shape, self.strides = count, offset, shape, strides


TensorPickler.dispatch[Tensor] = TensorPickler.save_tensor


def weights_file(tensor):
    file = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, {"w": tensor}, ["0"]):
        TensorPickler(file, 2).dump(value)
    file.write(struct.pack("<q", tensor.count) + np.arange(tensor.count, dtype="<f4").tobytes())
    file.seek(0)
    return file


class CheckWheel(unittest.TestCase):
    def test_refuses_another_file(self):
        with tempfile.TemporaryDirectory() as folder:
            wheel = Path(folder, "some.whl")
            wheel.write_bytes(b"another")
            with self.assertRaisesRegex(ValueError, "some.whl: SHA-256 is [0-9a-f]{64}; expected a7f2cb09"):
                features.check_wheel(wheel)


class ReadWeights(unittest.TestCase):
    def test_reads_a_tensor(self):
        read = features.read_weights(weights_file(Tensor(6, 0, (2, 3), (3, 1))))["w"]
        self.assertEqual(read.tolist(), [[0, 1, 2], [3, 4, 5]])
        self.assertEqual(features.read_weights(weights_file(Tensor(6, 4, (), ())))["w"].tolist(), [4])

    def test_refuses_what_is_outside_the_storage(self):
        for tensor in (
            Tensor(6, 0, (2, 4), (4, 1)),
            Tensor(6, 0, (2, 3), (-3, 1)),
            Tensor(6, 3, (3,), (-1000,)),
            Tensor(6, -2, (2,), (1,)),
        ):
            with self.assertRaisesRegex(ValueError, "outside its storage"):
                features.read_weights(weights_file(tensor))

    def test_refuses_other_classes_and_functions(self):
        for module, name in (("os", "system"), ("builtins", "eval"), ("torch", "load")):
            file = io.BytesIO()
            TensorPickler(file, 2).dump(Global(module, name))
            file.seek(0)
            with self.assertRaisesRegex(pickle.UnpicklingError, "is not allowed"):
                features.TensorUnpickler(file).load()


if __name__ == "__main__":
    unittest.main()
