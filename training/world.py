"""The synthetic world: a picture, a sprite, one motion, a prompt, and the truth about where the sprite is.

A scene is drawn from a random stream; it is then only data, and `render` shows any of its frames. Two rules make the
words matter and are easy to break. Where a sprite starts is independent of its motion (otherwise the position gives
the direction away, and the prompt is ignored). Speeds and periods are fixed (otherwise the same prompt has many
answers and a small network draws their average).

Lengths are in half widths: half the shorter side of the picture is 1, the centre is (0, 0), y points down.
Times are in seconds at 30 frames a second.

In pictures of 64 pixels every sprite is about one token large, and all go at one speed. Larger pictures have room for
more: there sprites are of many sizes, the smallest of a token, and go so many radii a second, which the start picture
tells; a second sprite may stand beside, which makes the name in the prompt count; cameras move more slowly, so that
detail stays within reach; and what turns is a quarter round after a section of 1.2 s, so that a section's place in the
clip tells how it stands at the end, as it does of jumps and waves.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from training import backgrounds, sprites
from training.rng import Rng, pick, stream
from training.words import CAMERA, DIRECTIONS, MOVES, OPPOSITE, prompt

FPS = 30
SPEED = 0.30  # half widths per second
PERIOD, HEIGHT = 1.2, 0.5  # a jump: seconds, half widths
GROWTH = math.log(1.6) / 2.4  # logarithm of the radius per second
TURN = math.pi / 2  # radians per second
LIFT = 0.83 * math.pi  # how far an arm is raised when it waves; it takes as long as a jump
PAN = 0.20  # half widths per second
ZOOM = 0.14  # logarithm of the magnification per second
LONGEST = 4.9  # seconds a scene may last; a panning camera needs this much more background
EDGE = 0.2  # a moving sprite's centre stops this far from the frame's border
SHAPES = {"spin": sprites.TURNING, "wave": ("figure",)}  # that show a motion; all others show everything else
LARGEST, SMALLEST = 0.85, 0.13  # radii between which growing and shrinking stay
SMALL = 64  # pixels of the shorter side; the following holds for larger pictures only
USUAL = 0.36  # the radius whose sprite goes at SPEED, and in pictures of 64 pixels the mean
TOKENS = (0.36, 0.48)  # radii of the smallest sprites, in shares of 32 pixels, which are two tokens
LEAST_SHARE = 0.42  # of its radius that a shrinking sprite keeps
SWEEP = 0.65  # of the cameras' speeds
QUARTER = math.pi / 2 / PERIOD  # radians per second
BESIDE, APART = 0.2, 0.12  # share of scenes with a second sprite, and how far it keeps off
FIRST = "first"  # a split whose sprites are all of the smallest


@dataclass(frozen=True)
class Scene:
    """One clip before it is rendered. `backdrop` covers `extent` half widths; sprites are premultiplied RGBA."""

    motion: str
    prompt: str
    backdrop: torch.Tensor  # (3, h, w) in 0..1
    extent: tuple[float, float]  # half of the backdrop's height and width, in half widths
    sprite: torch.Tensor | None  # (4, s, s) in 0..1
    start: tuple[float, float]  # x, y of the sprite's centre
    radius: float
    size: tuple[int, int]  # height, width in pixels
    kind: str  # of background
    name: str  # colour and shape
    arm: torch.Tensor | None = None  # (4, s, s), what waves

    @property
    def pace(self) -> float:
        """A sprite's speed and the height of its jumps, as a multiple of the usual ones."""
        return self.radius / USUAL if _large(self.size) else 1.0


@dataclass(frozen=True)
class Poses:
    """Where everything is at each of n times: the sprite in the world, the camera over it."""

    x: torch.Tensor
    y: torch.Tensor
    radius: torch.Tensor
    angle: torch.Tensor
    lift: torch.Tensor  # of an arm, in radians
    camera: torch.Tensor  # x of the camera
    zoom: torch.Tensor  # magnification


def scene(split: str, number: int, size: tuple[int, int], motion: str | None = None) -> Scene:
    """Scene `number` of a split; the split "held" has its own seeds and the photographs kept out of training."""
    rng, held = stream(split, number), split == "held"
    if motion is None:
        motion = drawn(rng)
    camera = motion in CAMERA
    kind = backgrounds.choose(rng, camera)
    backdrop, extent = _backdrop(rng, kind, size, motion, held)
    plain = (camera and rng.random() < 0.6) or (motion == "still" and rng.random() < 0.15)
    cutout = rng.random() < 0.15 and motion != "wave"
    shape = pick(rng, SHAPES.get(motion, tuple(sprites.OUTLINES)))
    shade = _contrasting(rng, backdrop)
    more = stream(f"{split} larger", number)
    radius = _radius(more, size, split) if _large(size) else None
    pixels = sprites.PIXELS if radius is None else max(sprites.PIXELS, round(1.5 * radius * min(size)))
    sprite = None if plain else sprites.draw(rng, shape, sprites.COLOURS[shade], held, cutout, pixels)
    named, coloured = (None, None) if plain else (shape, None if cutout else shade)
    beside = radius is not None and not plain and more.random() < BESIDE
    half_height, half_width = (side / min(size) for side in size)
    text = prompt(rng, motion, named, coloured, beside)
    start = float(rng.uniform(-0.32, 0.32)) * half_width, float(rng.uniform(-0.32, 0.32)) * half_height
    if radius is None:
        radius = float(rng.uniform(0.30, 0.42))
    elif beside:
        backdrop = _beside(more, backdrop, extent, (shape, shade, *start, radius), size, held)
    return Scene(
        motion=motion,
        prompt=text,
        backdrop=backdrop,
        extent=extent,
        sprite=sprite,
        start=start,
        radius=radius,
        size=size,
        kind=kind,
        name=f"{shade} {shape}",
        arm=sprites.arm(sprites.COLOURS[shade], pixels) if motion == "wave" else None,
    )


def drawn(rng: Rng) -> str:
    """A motion, in the proportions of training."""
    return list(MOVES)[int(rng.choice(len(MOVES), p=list(MOVES.values())))]


def pair(split: str, number: int, size: tuple[int, int]) -> tuple[Scene, Scene]:
    """Two scenes. If the first moves in a named direction, the second is the same picture moving the opposite way."""
    motion = drawn(stream(f"{split} motion", number))
    if motion in OPPOSITE:
        return scene(split, number, size, motion), scene(split, number, size, OPPOSITE[motion])
    return scene(split, number, size, motion), scene(f"{split} beside", number, size, motion)


def poses(scene: Scene, seconds: torch.Tensor) -> Poses:
    """The truth at the given times."""
    t, zero, one = seconds, torch.zeros_like(seconds), torch.ones_like(seconds)
    x, y, radius = one * scene.start[0], one * scene.start[1], one * scene.radius
    motion, large = scene.motion, _large(scene.size)
    smallest = LEAST_SHARE * scene.radius if large else SMALLEST
    turn, sweep = (QUARTER, SWEEP) if large else (TURN, 1.0)
    if motion in DIRECTIONS:
        dx, dy = DIRECTIONS[motion]
        half_height, half_width = (side / min(scene.size) for side in scene.size)
        x = _stop(x + dx * SPEED * scene.pace * t, half_width - EDGE)
        y = _stop(y + dy * SPEED * scene.pace * t, half_height - EDGE)
    elif motion == "jump":
        y = y - HEIGHT * scene.pace * torch.sin(math.pi * t / PERIOD).abs()
    elif motion == "grow":
        radius = radius * torch.exp(GROWTH * t).clamp(max=LARGEST / scene.radius)
    elif motion == "shrink":
        radius = radius * torch.exp(-GROWTH * t).clamp(min=smallest / scene.radius)
    return Poses(
        x=x,
        y=y,
        radius=radius,
        angle=turn * t if motion == "spin" else zero,
        lift=LIFT * torch.sin(math.pi * t / PERIOD).abs() if motion == "wave" else zero,
        camera=PAN * sweep * t * {"pan right": 1, "pan left": -1}.get(motion, 0),
        zoom=torch.exp(ZOOM * sweep * t) if motion == "zoom" else one,
    )


def render(scene: Scene, frames: torch.Tensor, bare: bool = False) -> torch.Tensor:
    """The frames of the given numbers as (n, 3, height, width) in -1..1; `bare` leaves the sprite out."""
    pose = poses(scene, frames / FPS)
    grid = _view(scene.size, pose)
    if scene.motion in CAMERA:
        scaled = grid / torch.tensor([scene.extent[1], scene.extent[0]])
        back = F.grid_sample(
            scene.backdrop.expand(len(frames), -1, -1, -1), scaled, padding_mode="reflection", align_corners=False
        )
    else:
        back = scene.backdrop.expand(len(frames), -1, -1, -1)
    if scene.sprite is not None and not bare:
        local = _turn(grid - torch.stack([pose.x, pose.y], -1)[:, None, None], -pose.angle)
        local = local * (sprites.MARGIN / pose.radius)[:, None, None, None]
        back = _over(back, scene.sprite, local)
        if scene.arm is not None:
            shoulder = torch.tensor(sprites.SHOULDER) * sprites.MARGIN
            back = _over(back, scene.arm, _turn(local - shoulder, pose.lift) + shoulder)
    return back * 2 - 1


def _over(back: torch.Tensor, sprite: torch.Tensor, local: torch.Tensor) -> torch.Tensor:
    """Pictures (n, 3, h, w) with a sprite painted over them, seen at its own coordinates (n, h, w, 2)."""
    painted = F.grid_sample(sprite.expand(len(back), -1, -1, -1), local, align_corners=False)
    return back * (1 - painted[:, 3:]) + painted[:, :3]


def truth(scene: Scene, frames: torch.Tensor) -> torch.Tensor:
    """The sprite's centre in each frame, (n, 2) as x and y in shares of the picture's width, the middle at 0."""
    pose = poses(scene, frames / FPS)
    units = min(scene.size) / 2 / scene.size[1]
    return torch.stack([(pose.x - pose.camera) * pose.zoom, pose.y * pose.zoom], -1) * units


def _view(size: tuple[int, int], pose: Poses) -> torch.Tensor:
    """World coordinates of every pixel, (n, height, width, 2)."""
    height, width = size
    half = min(size) / 2
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5 - height / 2) / half, (torch.arange(width) + 0.5 - width / 2) / half, indexing="ij"
    )
    flat = torch.stack([x, y], -1)[None] / pose.zoom[:, None, None, None]
    return flat + torch.stack([pose.camera, torch.zeros_like(pose.camera)], -1)[:, None, None]


def _turn(points: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Points (n, h, w, 2) turned by one angle per n."""
    if not bool(angle.any()):
        return points
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    x, y = points.unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos], -1)


def _stop(position: torch.Tensor, limit: float) -> torch.Tensor:
    """Soft stop at ±limit: straight until 0.1 before it, then bending into it within 0.2 half widths of travel."""
    bend = 0.1
    over = (position.abs() - (limit - bend)).clamp(0, 2 * bend)
    near = position.abs().clamp(max=limit - bend) + over - over**2 / (4 * bend)
    return position.sign() * near


def _backdrop(
    rng: Rng, kind: str, size: tuple[int, int], motion: str, held: bool
) -> tuple[torch.Tensor, tuple[float, float]]:
    """A background and half of its height and width: larger than the view where the camera will need it."""
    half_height, half_width = (side / min(size) for side in size)
    if motion == "zoom":  # 1.4 x the view's resolution, so that the enlarged end is not blurred
        picture = backgrounds.paint(rng, kind, round(size[0] * 1.4), round(size[1] * 1.4), held)
        return picture, (half_height, half_width)
    if motion in CAMERA:
        wide = half_width + PAN * LONGEST
        picture = backgrounds.paint(rng, kind, size[0], round(wide * min(size)), held)
        return picture, (half_height, picture.shape[2] / min(size))
    return backgrounds.paint(rng, kind, *size, held), (half_height, half_width)


def _contrasting(rng: Rng, backdrop: torch.Tensor, but: str = "") -> str:
    """A colour that differs from the background's average, and is not `but`."""
    average = backdrop.mean((1, 2)).numpy()
    far = [name for name, rgb in sprites.COLOURS.items() if np.abs(np.array(rgb) / 255 - average).max() > 0.35]
    return pick(rng, tuple(name for name in far if name != but) or tuple(sprites.COLOURS))


def _large(size: tuple[int, int]) -> bool:
    return min(size) > SMALL


def _radius(rng: Rng, size: tuple[int, int], split: str) -> float:
    """A sprite's radius in a large picture."""
    least, most = (share * SMALL / min(size) for share in TOKENS)
    return float(rng.uniform(least, most if split.startswith(FIRST) else 0.42))


def _beside(
    rng: Rng,
    backdrop: torch.Tensor,
    extent: tuple[float, float],
    other: tuple[str, str, float, float, float],
    size: tuple[int, int],
    held: bool,
) -> torch.Tensor:
    """A backdrop with a second sprite painted on it that stands still; `other` is the first one's shape, colour, place
    and radius. Where there is no room, it stays as it is."""
    shape, shade, x, y, radius = other
    name = pick(rng, tuple(name for name in sprites.OUTLINES if name != shape))
    colour = _contrasting(rng, backdrop, shade)
    own = float(rng.uniform(0.8, 1.2)) * radius
    half_height, half_width = (side / min(size) - 0.9 * own for side in size)
    places = rng.uniform(-1, 1, (20, 2)) * (half_width, half_height)
    free = [place for place in places if math.hypot(place[0] - x, place[1] - y) > own + radius + APART]
    if not free:
        return backdrop
    sprite = sprites.draw(rng, name, sprites.COLOURS[colour], held, False, max(sprites.PIXELS, round(own * min(size))))
    height, width = backdrop.shape[1:]
    sides = zip((height, width), extent, strict=True)
    rows, columns = (torch.linspace(1 / n - 1, 1 - 1 / n, n) * half for n, half in sides)
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    local = (torch.stack([across, down], -1) - torch.tensor(free[0], dtype=torch.float32)) * (sprites.MARGIN / own)
    return _over(backdrop[None], sprite, local[None])[0]
