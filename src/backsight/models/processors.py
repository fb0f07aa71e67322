"""Opening a checkpoint's processor, with or without torchvision.

The Qwen-VL processors insist on a video processor, and that needs torchvision. A subclass whose `__init__` names
no video processor drops it; it keeps the stock name, so that what it saves loads as a stock processor elsewhere.
Image processors are pinned to their PIL form, for equal pixels on every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoProcessor, AutoTokenizer, ProcessorMixin

# Some releases (5.17) put a stand-in that demands torchvision at the package's front door; the class does not.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from backsight.errors import ModelError


def image_only(stock: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`stock` without its video processor, under the same name."""

    def initialise(
        self: Any, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **kwargs: Any
    ) -> None:
        stock.__init__(self, image_processor, tokenizer, None, chat_template=chat_template, **kwargs)

    return type(stock.__name__, (stock,), {"__init__": initialise, "__module__": __name__})


def load_processor(source: str, stock: type[ProcessorMixin] | None, *, local: bool = False) -> ProcessorMixin:
    """The processor of a checkpoint (folder or id), `local`: from what is here already.

    `stock` is given where the family needs the image-only form. ModelError where it cannot be opened.
    """
    common: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local}
    try:
        if stock is None:
            processor = AutoProcessor.from_pretrained(source, use_fast=True, backend="pil", **common)
        else:
            images = AutoImageProcessor.from_pretrained(source, backend="pil", **common)
            tokenizer = AutoTokenizer.from_pretrained(source, **common)
            processor = image_only(stock)(
                image_processor=images, tokenizer=tokenizer, chat_template=_template(source, tokenizer, local)
            )
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            "The checkpoint has no processor that can be opened",
            where=source,
            got=(str(error).strip() or type(error).__name__).split("\n")[0][:300],
            do="save the tokenizer, image processor and chat template beside the weights (processor.save_pretrained)",
        ) from error
    if not isinstance(processor, ProcessorMixin):
        raise ModelError(
            "The checkpoint has a tokenizer but no image processor",
            where=source,
            got=type(processor).__name__,
            do="save the whole processor beside the weights (processor.save_pretrained)",
        )
    # Where its files are missing, transformers makes an empty tokenizer and says nothing.
    known = set(processor.tokenizer.encode("left right", add_special_tokens=False))
    if not known - {processor.tokenizer.unk_token_id}:
        raise ModelError(
            "The checkpoint's tokenizer is empty",
            where=source,
            got=f"{len(processor.tokenizer)} tokens, and none for 'left right'",
            do="save the tokenizer beside the weights (processor.save_pretrained)",
        )
    return processor


def check_template(processor: Any, source: str) -> None:
    """ModelError where a chat model's processor has no chat template, or one that cannot be filled in."""
    content = [{"type": "image"}, {"type": "text", "text": "?"}]
    try:
        processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
    except (ValueError, TypeError, TemplateError) as error:
        raise ModelError(
            "The checkpoint's chat template is missing or cannot be filled in",
            where=source,
            got=(str(error).strip() or type(error).__name__).split("\n")[0][:300],
            do="save chat_template.jinja beside the weights (processor.save_pretrained)",
        ) from error


def _template(source: str, tokenizer: Any, local: bool) -> str | None:
    """The chat template: a file of its own beside the weights, or the tokenizer's."""
    from transformers.utils import cached_file

    for name in ("chat_template.jinja", "chat_template.json"):
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False, local_files_only=local)
        if path is not None:
            text = Path(path).read_text(encoding="utf-8")
            if name.endswith(".json"):
                import json

                return str(json.loads(text)["chat_template"])
            return text
    template: str | None = getattr(tokenizer, "chat_template", None)
    return template
