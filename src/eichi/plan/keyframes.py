"""Which image anchors which section of the standard model.

Sections are numbered from the end of the video. An image on section k anchors section k and every lower number down
to the next image: generation runs from the end, and the anchor is what a section comes *from*. Names only: "image"
is the start image, "section:k" the image on section k. Knows nothing of files.
"""

from collections.abc import Collection

from eichi.errors import OptionError

START = "image"
FINAL = "final"


def section_image(number: int) -> str:
    """Name of the image that the user put on a section."""
    return f"section:{number}"


def anchor(number: int, images: Collection[int]) -> str:
    """Name of the image that anchors section `number`, given the numbers of the sections that carry one."""
    above = [image for image in images if image >= number]
    return section_image(min(above)) if above else START


def check_numbers(key: str, numbers: Collection[int], sections: int) -> None:
    """Refuse, by name, a section that the video does not have."""
    for number in sorted(numbers):
        if not 0 <= number < sections:
            raise OptionError("error.section.missing", key=key, number=number, count=sections, last=sections - 1)
