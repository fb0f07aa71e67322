"""A folder in COCO's form, read and checked: photographs, and per photograph its instances with their boxes.

Annotations stand in `instances.json`, in `annotations/instances_*.json` (all that there are) or in the single
.json of the folder; photographs in `images/`, in the folder itself or in one of its subfolders. pycocotools
indexes the annotations; it trusts what it reads, so all is checked before.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO  # type: ignore[import-untyped,unused-ignore]

from backsight.datasets.files import misfit, picture_size, stays_inside
from backsight.errors import DataError, UsageError
from backsight.grid import Box
from backsight.pictures import TURNED, Credit, FilePicture

# In pixels: annotators' boxes may reach over the edge by a rounding. They are cut at the edge.
TOLERANCE = 1.0

_SECTIONS: dict[str, dict[str, type]] = {
    "images": {"id": int, "file_name": str, "width": int, "height": int},
    "annotations": {"id": int, "image_id": int, "category_id": int, "bbox": list},
    "categories": {"id": int, "name": str},
}


@dataclass(frozen=True)
class Instance:
    """One annotated thing. A crowd is one annotation for many things of a category.

    `outline` is the annotation's segmentation as it stands in the file, unchecked: not every reader needs it.
    """

    category: str
    box: Box
    crowd: bool
    id: int = field(default=0, compare=False)
    outline: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Photo:
    """One photograph, the number of its annotations and its instances in the order of their ids.

    Where no picture is at hand, `path` is None and the instances are left out. `where` names its entry for errors.
    """

    id: int
    path: Path | None
    annotated: int
    instances: tuple[Instance, ...]
    size: tuple[int, int] = field(default=(0, 0), compare=False)
    credit: Credit | None = field(default=None, compare=False)
    where: str = field(default="", compare=False, repr=False)


def read(root: Path) -> list[Photo]:
    """The photographs of a folder by id. Boxes are checked where the picture is at hand.

    UsageError where there is no folder, DataError for anything in it that is not COCO's form.
    """
    if not root.is_dir():
        raise UsageError(
            "There is no such folder", where=root, do="name a folder of photographs with their instances.json"
        )
    photos: dict[int, Photo] = {}
    entries = 0
    folders = [root / "images", root, *sorted(p for p in root.iterdir() if p.is_dir() and p.name != "images")]
    for file in annotation_files(root):
        coco = _index(file)
        entries += len(coco.imgs)
        photos.update({number: _photo(coco, number, folders, file) for number in sorted(coco.imgs)})
    if len(photos) < entries:
        raise DataError("An image id occurs in two annotation files", where=root, do="keep one of the two files")
    if not any(photo.path for photo in photos.values()):
        raise DataError(
            "None of the photographs is at hand",
            where=root,
            got=f"{len(photos)} images in the annotations and no file of theirs",
            do="put the photographs into images/ under the file names that the annotations give",
        )
    return [photos[number] for number in sorted(photos)]


def categories(photos: Sequence[Photo]) -> tuple[str, ...]:
    """The categories of what is annotated in some photographs, crowds too, sorted."""
    return tuple(sorted({instance.category for photo in photos for instance in photo.instances}))


def annotation_files(root: Path) -> list[Path]:
    """Where the annotations of a folder stand; DataError where that is nowhere or not clear."""
    if (root / "instances.json").is_file():
        return [root / "instances.json"]
    if named := sorted((root / "annotations").glob("instances_*.json")):
        return named
    files = sorted(root.glob("*.json"))
    # A single file is taken as it is, so that its mistakes are named; of several, the one in COCO's form.
    usable = files if len(files) == 1 else [file for file in files if _looks_like_coco(file)]
    if len(usable) != 1:
        raise DataError(
            "The folder has no annotation file" if not usable else "The folder has several annotation files",
            where=root,
            got=", ".join(p.name for p in usable or files) or "no .json file",
            do="put COCO's annotations into instances.json or annotations/instances_NAME.json",
        )
    return usable


def _looks_like_coco(file: Path) -> bool:
    try:
        data = _parse(file)
    except DataError:
        return False
    return isinstance(data, dict) and data.keys() >= _SECTIONS.keys()


def _parse(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError("The annotation file cannot be read", where=file, got=error.strerror or error) from error
    except (ValueError, RecursionError) as error:
        raise DataError(
            "The annotation file is not JSON", where=file, got=error, do="fetch or export it again"
        ) from error


def _index(file: Path) -> COCO:
    """pycocotools' index over a file whose entries are all there and point at each other."""
    data = _parse(file)
    form = "an object with the lists images, annotations and categories, as in COCO's instances files"
    if not isinstance(data, dict):
        raise DataError("The annotations are not in COCO's form", where=file, got=_short(data), do=f"give {form}")
    missing = [name for name in _SECTIONS if not isinstance(data.get(name), list)]
    if missing:
        got = f"no list {', '.join(missing)}; the keys are {_short(sorted(data))}"
        raise DataError("The annotations are not in COCO's form", where=file, got=got, do=f"give {form}")
    for section, fields in _SECTIONS.items():
        _check_section(data[section], section, fields, file)
    _check_links(data, file)
    coco = COCO()
    coco.dataset = data
    # It reports its progress on stdout, which belongs to the command line.
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _check_section(entries: Sequence[Any], section: str, fields: dict[str, type], file: Path) -> None:
    seen: set[int] = set()
    for index, entry in enumerate(entries):
        where = f"{file}, {section}[{index}]"
        if not isinstance(entry, dict):
            raise DataError("An entry is not an object", where=where, got=_short(entry), do="write {...}")
        for name, kind in fields.items():
            # bool is an int to Python, and no id.
            if type(entry.get(name)) is not kind or entry[name] == "":
                wanted = {int: "a whole number", str: "a text", list: "a list [x, y, width, height]"}[kind]
                raise DataError(
                    f"An entry has no {name}" if name not in entry else f"An entry's {name} is not {wanted}",
                    where=where if name == "id" or "id" not in entry else f"{where}, id {entry['id']}",
                    got=_short(entry),
                    do=f"give {name} as {wanted}",
                )
        if entry["id"] in seen:
            raise DataError("An id occurs twice", where=where, got=f"id {entry['id']}", do="give each entry its own id")
        seen.add(entry["id"])


def _check_links(data: dict[str, Any], file: Path) -> None:
    names = [category["name"] for category in data["categories"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError("Two categories have one name", where=file, got=_short(twice), do="join them into one category")
    known = {
        "image": {image["id"] for image in data["images"]},
        "category": {category["id"] for category in data["categories"]},
    }
    for annotation in data["annotations"]:
        for kind, ids in known.items():
            if annotation[f"{kind}_id"] not in ids:
                raise DataError(
                    f"An annotation names an unknown {kind}",
                    where=f"{file}, annotation {annotation['id']}",
                    got=f"{kind}_id {annotation[f'{kind}_id']}",
                    do=f"remove the annotation, or add the {kind}",
                )


def _photo(coco: COCO, number: int, folders: Sequence[Path], file: Path) -> Photo:
    entry = coco.imgs[number]
    name, size = entry["file_name"], (entry["width"], entry["height"])
    where = f"{file}, image {number}"
    if not stays_inside(name):
        raise DataError(
            "A file name leaves the folder", where=where, got=repr(name), do="give it relative to the folder"
        )
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is not None and (real := picture_size(path, where)) != size:
        raise DataError(
            "A photograph has not the size that its annotations say, so its boxes do not fit",
            where=where,
            got=f"{path} is {real[0]} x {real[1]} px{_turned(path)}, annotated as {size[0]} x {size[1]} px",
            do="restore the photograph that was annotated",
        )
    annotations = sorted(coco.imgToAnns[number], key=lambda a: int(a["id"]))
    credit = _credit(coco, entry)
    if path is None:
        return Photo(number, None, len(annotations), (), size, credit, where)
    instances = tuple(
        Instance(
            coco.cats[annotation["category_id"]]["name"],
            _box(annotation, size, f"{file}, annotation {annotation['id']}"),
            bool(annotation.get("iscrowd", 0)),
            annotation["id"],
            annotation.get("segmentation"),
        )
        for annotation in annotations
    )
    return Photo(number, path, len(annotations), instances, size, credit, where)


def _credit(coco: COCO, entry: dict[str, Any]) -> Credit:
    """Whose a photograph is, as far as its entry says it."""
    listed = coco.dataset.get("licenses")
    licenses = {one.get("id"): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
    number = entry.get("license")
    known = licenses.get(number) if isinstance(number, (int, str)) else None
    texts = [str(known[key]) for key in ("name", "url") if known.get(key)] if known else []
    source = next((str(entry[key]) for key in ("flickr_url", "coco_url") if entry.get(key)), entry["file_name"])
    return Credit(str(entry["id"]), ", ".join(texts) or "not stated", source)


def _box(annotation: dict[str, Any], size: tuple[int, int], where: str) -> Box:
    """The box of an annotation in a photograph of `size`, cut at the edge.

    A box of no width or height passes, as COCO itself has a few: no measurement will take it.
    """
    numbers = annotation["bbox"]
    if len(numbers) != 4 or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise DataError("A bbox is not four numbers", where=where, got=_short(numbers), do="give [x, y, width, height]")
    x, y, width, height = map(float, numbers)
    whole = Box(x, y, x + width, y + height)
    cut = Box(max(x, 0.0), max(y, 0.0), min(whole.right, float(size[0])), min(whole.bottom, float(size[1])))
    if min(width, height) == 0 and 0 <= x <= size[0] and 0 <= y <= size[1] and max(width, height) >= 0:
        return cut
    wrong = misfit(whole, size, TOLERANCE) or misfit(cut, size, 0.0)
    if wrong is not None:
        raise DataError(
            wrong,
            where=where,
            got=f"bbox {numbers} in image {annotation['image_id']} of {size[0]} x {size[1]} px",
            do="correct the bbox ([x, y, width, height] in pixels), or remove the annotation",
        )
    return cut


def _turned(path: Path) -> str:
    return f", {TURNED}" if TURNED in FilePicture(path).conversions else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
