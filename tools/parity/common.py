"""What the Python scripts of the parity suite share: a case's model, processor and inputs."""
import json
import os

import torch
import transformers
from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
from transformers.image_utils import load_image
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

torch.set_num_threads(1)  # the models are small: more threads wait for one another
transformers.utils.logging.disable_progress_bar()


def load(directory):
    """The model of a directory, in 32 bits."""
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()


def processor_of(root):
    """The processor of a case, images by Pillow."""
    model_dir = os.path.join(root, "model")
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    image_processor = Qwen2VLImageProcessorPil.from_pretrained(model_dir)
    return Qwen2_5_VLProcessor(image_processor=image_processor, tokenizer=tokenizer, video_processor=Qwen2VLVideoProcessor(), chat_template=tokenizer.chat_template)


def rows_of(root):
    """The case's prompts."""
    with open(os.path.join(root, "reference.json")) as file:
        return json.load(file)["rows"]


def images_of_row(root, row):
    """Images of a prompt, as transformers loads them."""
    return [load_image(os.path.join(root, "images", name)) for name in row["images"]]


def inputs_of(root):
    """Inputs of the case's prompts, one by one, as the processor makes them."""
    full = processor_of(root)
    return [full(text=[row["text"]], images=images_of_row(root, row) or None, return_tensors="pt") for row in rows_of(root)]


def batch_of(root, rows, padding_side):
    """Several prompts as one padded batch."""
    full = processor_of(root)
    full.tokenizer.padding_side = padding_side
    images = [image for row in rows for image in images_of_row(root, row)]
    return full(text=[row["text"] for row in rows], images=images or None, padding=True, return_tensors="pt")


def positions_of(model, batch):
    """M-RoPE positions [3, B, T] of a batch; the model forgets what it kept of the last one."""
    kinds = batch.get("mm_token_type_ids", torch.zeros_like(batch.input_ids))
    positions, delta = model.model.get_rope_index(batch.input_ids, mm_token_type_ids=kinds, image_grid_thw=batch.get("image_grid_thw"), attention_mask=batch.attention_mask)
    model.model.rope_deltas = None
    return positions, delta
