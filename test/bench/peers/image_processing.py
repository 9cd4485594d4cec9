"""`image-processing` in transformers. Variants: `pillow` (Qwen2VLImageProcessorPil) or `torchvision` (Qwen2VLImageProcessor), `io` (torchvision
reads the files, else Pillow), `threads` (two threads, a batch each; else one, in which PyTorch may use two).
"""
import glob
import os
from concurrent.futures import ThreadPoolExecutor

import torch
import torchvision
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

from variant import words

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", ".bench", "images")
BATCH = 16


def set_up(variant):
    chosen = words(variant)
    files = sorted(glob.glob(os.path.join(FOLDER, "*")))
    if not files:
        raise FileNotFoundError(f"no images in {os.path.normpath(FOLDER)}: `npm run bench` makes them")
    processor = (Qwen2VLImageProcessor if "torchvision" in chosen else Qwen2VLImageProcessorPil)(size=dict(shortest_edge=56 * 56, longest_edge=28 * 28 * 1280))
    read = (lambda file: torchvision.io.decode_image(file, "RGB")) if "io" in chosen else (lambda file: Image.open(file).convert("RGB"))

    def patches(start):
        batch = processor(images=[read(file) for file in files[start : start + BATCH]], return_tensors="pt")
        return batch["pixel_values"].shape[0]

    starts = range(0, len(files), BATCH)
    pool = ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) if "threads" in chosen else None

    def run():
        return sum(pool.map(patches, starts) if pool else map(patches, starts))

    return dict(run=run, work=dict(images=len(files)))
