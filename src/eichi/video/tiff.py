"""What Pillow reads wrongly in TIFFs that are not packed, put right before anything is decoded."""

from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    SAMPLESPERPIXEL,
    TiffImageFile,
)

from eichi.errors import PictureError

APART = 2  # the planes of a picture, one after the other
YCBCR = 6
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
        tags[PLANAR_CONFIGURATION] = 1  # the same thing, and read well
        image._setup()
    elif tags.get(PHOTOMETRIC_INTERPRETATION) == YCBCR and image.mode == "RGB":
        _by_libtiff(image, "RGBX", path)
    elif apart and max(tags.get(BITSPERSAMPLE, (1,))) > 8:
        _by_libtiff(image, f"{image.mode};16N", path)


def _by_libtiff(image: TiffImageFile, mode: str, path: Path) -> None:
    if image.width * image.height > LIMIT:
        raise PictureError("error.picture.large", path=path, limit=LIMIT // 1_000_000)
    whole = image.tile[0]._replace(extents=(0, 0, *image._tile_size), offset=0, codec_name="libtiff")
    image.tile = [whole._replace(args=(mode, "raw", False, image.tag_v2.offset))]
    image.use_load_libtiff = True
