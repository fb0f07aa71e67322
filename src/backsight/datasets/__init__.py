"""Real data, one file each, and the folder that every example set can be written to.

`coco_pairs` reads photographs with boxes in COCO's form; `folder` writes and reads what Hugging Face
`datasets` loads as an image folder. Each has a `load(root)` that gives an ExampleSet; none needs torch.
"""

from backsight.datasets import coco_pairs, folder

__all__ = ["coco_pairs", "folder"]
