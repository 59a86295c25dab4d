"""Which image anchors which section of the standard model.

Sections are numbered from the end of the video. An image on section k anchors section k and every lower number down
to the next image: generation runs from the end, and the anchor is what a section comes *from*. Names only: "image"
is the start image, "section:k" the image on section k. Knows nothing of files.
"""

from collections.abc import Collection, Mapping

from eichi.errors import OptionError

RED, BLUE = 0, 1  # the two sections whose images are copied over the even and the odd ones
START = "image"
FINAL = "final"
END = "end"  # the video's own last latent, which the connecting section of a seamless loop comes from
CONNECTING = -1  # its number: it lies behind section 0


def section_image(number: int) -> str:
    """Name of the image that the user put on a section."""
    return f"section:{number}"


def spread(images: Collection[int], sections: int, copies: bool) -> dict[int, int]:
    """Which section's image each section carries, by section number.

    With `copies`, section 0's image (red) fills the even and section 1's (blue) the odd sections, exactly as many as
    the video has; an image set by hand stays.
    """
    carried = {number: number for number in images}
    if copies:
        for number in range(sections):
            source = BLUE if number % 2 else RED
            if source in images:
                carried.setdefault(number, source)
    return carried


def anchor(number: int, carried: Mapping[int, int]) -> str:
    """Name of the image that anchors section `number`: the one carried by the lowest section from `number` up."""
    above = [section for section in carried if section >= number]
    return section_image(carried[min(above)]) if above else START


def check_numbers(key: str, numbers: Collection[int], sections: int) -> None:
    """Refuse, by name, a section that the video does not have."""
    for number in sorted(numbers):
        if not 0 <= number < sections:
            raise OptionError("error.section.missing", key=key, number=number, count=sections, last=sections - 1)
