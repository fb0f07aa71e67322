"""Real data, one file each, and the folder that every example set can be written to.

`coco_pairs` reads photographs with boxes in COCO's form, `coco_boxes` asks for those boxes, and `vsr` joins the
captions of VSR with them; `whatsup` reads What'sUp in its published form, and `composites` joins its pictures in pairs;
`tabletop` writes drawn scenes in that form; `cutouts` cuts objects out of photographs for suites of known geometry;
`folder` writes and reads what Hugging Face `datasets` loads as an image folder. What reads has a
`load(root)`; none needs torch.
"""

from backsight.datasets import coco_boxes, coco_pairs, composites, cutouts, folder, tabletop, vsr, whatsup

__all__ = ["coco_boxes", "coco_pairs", "composites", "cutouts", "folder", "tabletop", "vsr", "whatsup"]
