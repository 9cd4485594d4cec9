"""The shipped tiny base for ms-swift, whose template has the published Qwen2.5-VL's image tokens in its code.

A plugin of ms-swift (--external_plugins): the template `fine_r1_base` is its `qwen2_5_vl` with the ids of image tokens,
the size of a patch and the limits on pixels that the checkpoint says. What is said and what is learnt stay ms-swift's.
"""

from qwen_vl_utils import fetch_image
from swift.template import register_template
from swift.template.templates.qwen import Qwen2_5VLTemplate, QwenTemplateMeta


class BaseTemplate(Qwen2_5VLTemplate):
    def init_processor(self, processor):
        super().init_processor(processor)
        if processor is not None:
            self.image_token_id = self.config.image_token_id
            self.video_token_id = self.config.video_token_id

    def replace_tag(self, media_type, index, inputs):
        if media_type != "image":
            raise ValueError(f"swift_base.py: {media_type}: images alone are known here")
        reader = self.processor.image_processor
        limits = {"min_pixels": reader.size["shortest_edge"], "max_pixels": reader.size["longest_edge"]}
        image = {"image": inputs.images[index], **limits}
        inputs.images[index] = fetch_image(image, image_patch_size=reader.patch_size)
        return ["<|vision_start|><|image_pad|><|vision_end|>"]


register_template(QwenTemplateMeta("fine_r1_base", template_cls=BaseTemplate))
