"""Opening a checkpoint's processor, with or without torchvision.

The Qwen-VL processors insist on a video processor, and that needs torchvision. A subclass whose `__init__` names
no video processor drops it; it keeps the stock name, so that what it saves loads as a stock processor elsewhere.
Image processors are pinned to their PIL form, for equal pixels on every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer, ProcessorMixin

from backsight.errors import ModelError


def image_only(stock: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`stock` without its video processor, under the same name."""

    def initialise(
        self: Any, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **kwargs: Any
    ) -> None:
        stock.__init__(self, image_processor, tokenizer, None, chat_template=chat_template, **kwargs)

    return type(stock.__name__, (stock,), {"__init__": initialise, "__module__": __name__})


def load_processor(source: str, stock: type[ProcessorMixin] | None) -> ProcessorMixin:
    """The processor of a checkpoint (folder or id). `stock` is given where the family needs the image-only form."""
    try:
        if stock is None:
            processor = AutoProcessor.from_pretrained(source, use_fast=True, trust_remote_code=False, backend="pil")
        else:
            images = AutoImageProcessor.from_pretrained(source, backend="pil", trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
            processor = image_only(stock)(
                image_processor=images, tokenizer=tokenizer, chat_template=_template(source, tokenizer)
            )
    except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise ModelError(
            "The checkpoint has no processor that can be opened",
            where=source,
            got=str(error).strip().split("\n")[0],
            do="save the tokenizer, image processor and chat template beside the weights (processor.save_pretrained)",
        ) from error
    if not isinstance(processor, ProcessorMixin):
        raise ModelError(
            "The checkpoint has a tokenizer but no image processor",
            where=source,
            got=type(processor).__name__,
            do="save the whole processor beside the weights (processor.save_pretrained)",
        )
    return processor


def _template(source: str, tokenizer: Any) -> str | None:
    """The chat template: a file of its own beside the weights, or the tokenizer's."""
    from transformers.utils import cached_file

    for name in ("chat_template.jinja", "chat_template.json"):
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
        if path is not None:
            text = Path(path).read_text(encoding="utf-8")
            if name.endswith(".json"):
                import json

                return str(json.loads(text)["chat_template"])
            return text
    template: str | None = getattr(tokenizer, "chat_template", None)
    return template
