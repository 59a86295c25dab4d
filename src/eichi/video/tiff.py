"""What Pillow reads wrongly in TIFFs that are not packed, put right before anything is decoded."""

from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    EXTRASAMPLES,
    FILLORDER,
    IMAGELENGTH,
    IMAGEWIDTH,
    OPEN_INFO,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    TiffImageFile,
)

from eichi.errors import PictureError

APART = 2  # the planes of a picture, one after the other
YCBCR = 6
# What Pillow knows kinds of TIFFs by, beside the order of bytes, with what is meant where a tag is not there.
KIND = (
    (PHOTOMETRIC_INTERPRETATION, 0),
    (SAMPLEFORMAT, (1,)),
    (FILLORDER, 1),
    (BITSPERSAMPLE, (1,)),
    (EXTRASAMPLES, ()),
)
LIMIT = 40_000_000  # pixels of one that is read by libtiff, which may hold a plane of it twice


def mend(image: Image.Image, path: Path) -> None:
    """Has a TIFF read as its tags say. Raises PictureError for one that is too large to be read so.

    Pillow's own reader of what is not packed takes 16 bits of a plane for 8, forgets what one plane alone means, and
    knows no YCbCr; libtiff, by which it reads all that is packed, does not.
    """
    if not isinstance(image, TiffImageFile) or not image.tile or image.tile[0].codec_name != "raw":
        return
    tags = image.tag_v2
    apart = tags.get(PLANAR_CONFIGURATION, 1) == APART
    if apart and tags.get(SAMPLESPERPIXEL, 1) == 1:
        _as_one(image)
    elif tags.get(PHOTOMETRIC_INTERPRETATION) == YCBCR and image.mode == "RGB":
        _by_libtiff(image, "RGBX", path)
    elif apart and max(tags.get(BITSPERSAMPLE, (1,))) > 8:
        _by_libtiff(image, f"{image.mode};16N", path)


def _as_one(image: TiffImageFile) -> None:
    """Has the only plane read by what its tags mean together; a plane of several is known by its letter alone."""
    tags = image.tag_v2
    kind = [tags.get(tag, usual) for tag, usual in KIND]
    _, meaning = OPEN_INFO.get((tags.prefix, *kind), ("", ""))
    if meaning:
        tile = type(image.tile[0])
        rows = [(one, one.args[1:] if isinstance(one.args, tuple) else ()) for one in image.tile]
        image.tile = [tile(one.codec_name, one.extents, one.offset, (meaning, *rest)) for one, rest in rows]


def _by_libtiff(image: TiffImageFile, mode: str, path: Path) -> None:
    if image.width * image.height > LIMIT:
        raise PictureError("error.picture.large", path=path, limit=LIMIT // 1_000_000)
    size = (image.tag_v2[IMAGEWIDTH], image.tag_v2[IMAGELENGTH])  # as it lies in the file
    tile, args = type(image.tile[0]), (mode, "raw", False, image.tag_v2.offset)
    image.tile = [tile("libtiff", (0, 0, *size), 0, args)]
    image.use_load_libtiff = True
