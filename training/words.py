"""What is said about a clip: prompts in varied wording for every motion, and the sample of text the tokenizers learn.

Knows motions and names only, nothing of pictures. Wording varies on purpose (subject, verb, capitals, full stop,
polite tails), so that the text encoders learn the one or two words that matter; some prompts are empty, so that the
model has an answer without words, and the empty prompt can serve as the control of the behaviour report.
"""

from training.rng import Rng, pick

# Shares of empty prompts. Whoever says nothing asks for no direction, so a named one follows seldom.
EMPTY, EMPTY_NAMED = 0.14, 0.04

# The motions, how often each is shown, and ways to say it. `{s}` is the subject.
MOVES: dict[str, float] = {
    "right": 0.1275,
    "left": 0.1275,
    "up": 0.1275,
    "down": 0.1275,
    "still": 0.07,
    "jump": 0.065,
    "grow": 0.045,
    "shrink": 0.06,
    "spin": 0.06,
    "wave": 0.05,
    "pan right": 0.045,
    "pan left": 0.045,
    "zoom": 0.05,
}
CAMERA = ("pan right", "pan left", "zoom")
# Unit vectors of the four named directions in picture coordinates (x to the right, y down).
DIRECTIONS: dict[str, tuple[float, float]] = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}
OPPOSITE = {"right": "left", "left": "right", "up": "down", "down": "up"}

PHRASES: dict[str, tuple[str, ...]] = {
    "right": ("{s} moves right", "{s} moves to the right", "{s} goes right", "{s} slides to the right",
              "{s} is moving right", "{s} walks to the right", ),
    "left": ("{s} moves left", "{s} moves to the left", "{s} goes left", "{s} slides to the left",
             "{s} is moving left", "{s} walks to the left", ),
    "up": ("{s} moves up", "{s} moves upwards", "{s} goes up", "{s} rises", "{s} is moving up", "{s} flies up"),
    "down": ("{s} moves down", "{s} moves downwards", "{s} goes down", "{s} falls", "{s} is moving down",
             "{s} sinks down"),
    "still": ("{s} stands still", "{s} does not move", "{s} stays where it is", "{s} rests", "nothing moves",
              "{s} remains still", "{s} breathes calmly, with subtle body movements"),
    "jump": ("{s} jumps", "{s} jumps up and down", "{s} is jumping", "{s} bounces", "{s} hops", "{s} dances",
             "{s} dances gracefully, with clear movements, full of charm",
             "{s} dances energetically, leaping mid-air with fluid arm swings and quick footwork"),
    "grow": ("{s} grows", "{s} gets bigger", "{s} is growing", "{s} becomes larger"),
    "shrink": ("{s} shrinks", "{s} gets smaller", "{s} is shrinking", "{s} becomes smaller"),
    "spin": ("{s} spins", "{s} turns around", "{s} is spinning", "{s} rotates"),
    "wave": ("{s} waves", "{s} is waving", "{s} waves a hand", "{s} waves hello", "{s} gestures with hands"),
    "pan right": ("the camera slowly pans from left to right", "the camera pans right", "camera pans to the right",
                 "pan right"),
    "pan left": ("the camera slowly pans from right to left", "the camera pans left", "camera pans to the left",
                 "pan left"),
    "zoom": ("the camera zooms in", "zoom in", "camera zooms in", "the camera moves closer"),
}  # fmt: skip

NAMES: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "ball", "disc"),
    "square": ("square", "box"),
    "triangle": ("triangle",),
    "star": ("star",),
    "heart": ("heart",),
    "diamond": ("diamond",),
    "cross": ("cross", "plus sign"),
    "face": ("face", "head", "smiley"),
    "figure": ("figure", "person", "man", "woman", "girl", "boy", "character"),
}
TAILS = (" with clear movement", ", full of charm", " gracefully, with clear movements", " in the picture",
         ", high quality", ", cinematic lighting", " across the scene", ", the background stays the same")  # fmt: skip

# Sentences from the manual of this family of programs: they only teach the tokenizers ordinary vocabulary.
MANUAL = (
    "The character walks gracefully, with clear movements, across the room.",
    "moves back and forth, side to side",
    "dances powerfully, with clear movements, full of energy",
    "The character breathes calmly, with subtle body movements.",
    "The character walks forward, gestures with hands, with natural posture.",
    "The character performs dynamic movements with energy and flowing motion.",
    "A young woman with long flowing hair, cinematic lighting, detailed facial features, soft expressions",
    "The camera slowly pans from left to right. The woman gradually turns her head.",
    "A character enthusiastically dancing with dynamic movements, arms swinging freely, head nodding to the rhythm",
    "The girl dances gracefully, with clear movements, full of charm.",
    "The man dances energetically, leaping mid-air with fluid arm swings and quick footwork.",
)


def prompt(rng: Rng, motion: str, shape: str | None, colour: str | None, named: bool = False) -> str:
    """One prompt for a motion; `shape` and `colour` are None for a picture without a sprite or a cut-out.

    A sprite that is not alone is `named`: otherwise nobody knew which one was meant.
    """
    if rng.random() < (EMPTY_NAMED if motion in DIRECTIONS else EMPTY):
        return ""
    text = pick(rng, PHRASES[motion]).format(s=_subject(rng, shape, colour, named))
    if rng.random() < 0.12:
        text += pick(rng, TAILS)
    if rng.random() < 0.4:
        text = text[0].upper() + text[1:]
    if rng.random() < 0.4:
        text += "."
    return text


def corpus(rng: Rng, count: int) -> list[str]:
    """Sample text for the tokenizers: prompts in the proportions of training, and the manual's sentences."""
    lines = [*MANUAL] * 40
    motions, weights = list(MOVES), list(MOVES.values())
    for _ in range(count):
        motion = motions[int(rng.choice(len(motions), p=weights))]
        lines.append(prompt(rng, motion, pick(rng, tuple(NAMES)), pick(rng, ("red", "blue", "green", "yellow"))))
    return lines


def _subject(rng: Rng, shape: str | None, colour: str | None, named: bool = False) -> str:
    if shape is None:
        return pick(rng, ("it", "the picture", "the object", "everything"))
    name = pick(rng, NAMES[shape])
    plain = ("the " + name,) * 3 if named else ("it", "the " + name, "the object")
    if colour is None:
        return pick(rng, plain)
    article = "an" if colour == "orange" else "a"
    return pick(rng, (*plain[:2], f"{article} {colour} {name}", f"the {colour} {name}", f"{article} {colour} {name}"))
