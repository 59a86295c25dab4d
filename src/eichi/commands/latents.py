"""`eichi latents`: look into latent files, join and cut them, fill a gap, make them longer, to a video and back.

Thin commands, each over one call. Looking, joining and cutting need no model and load none.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from eichi.commands.run import follow, run_request
from eichi.commands.target import LATENTS, target
from eichi.declare import Plain
from eichi.errors import OptionError
from eichi.events import Adjusted, FileFinished, Finished
from eichi.flags import read_request, some_flags
from eichi.library.lorafolders import located
from eichi.lines import done, in_terminal
from eichi.options import FillOptions, OutputOptions, Request, VideoOptions
from eichi.settings import Settings
from eichi.terminal import json_flag, print_json, reporting, tell
from eichi.usage import Group, Number
from eichi.words import say

VIDEO = ".mp4"

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(cls=Group, help=say("cli.latents"), short_help=say("cli.latents_short"))
def latents() -> None:
    pass


def file_argument(name: str, count: int = 1) -> Callable[[Command], Command]:
    """Files that a tool reads."""
    metavar = name.upper() if count == 1 else f"{name.upper()}..."
    return click.argument(name, type=click.Path(path_type=Path), metavar=metavar, nargs=count, required=True)


def out_flag(command: Command) -> Command:
    return click.option("--out", type=click.Path(path_type=Path), help=say("cli.latents_out"))(command)


@latents.command(help=say("cli.latents_inspect"))
@file_argument("file")
@json_flag
def inspect(file: Path, as_json: bool) -> None:
    from eichi.video.splice import report

    with reporting(as_json) as settings:
        found = report(file)
        if as_json:
            print_json(found)
            return
        language = settings.language
        click.echo(say("latents.summary", language, **vars(found) | {"model": found.model or "?"}))
        for number, clip in enumerate(found.clips, start=1):
            last = clip.first + clip.latents - 1
            click.echo(say("latents.clip", language, number=number, **vars(clip), last=last))
        if found.first:
            click.echo(say("latents.later", language, first=found.first))
        if found.record is None:
            click.echo(say("latents.bare", language))


@latents.command(help=say("cli.latents_join"))
@file_argument("files", -1)
@out_flag
@json_flag
def join(files: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    from eichi.video import splice

    with reporting(as_json) as settings:
        if len(files) < 2:
            raise OptionError("error.latents.few")
        tell_made(splice.join_latents(files, target(out, settings, files[0], "joined")), as_json, settings.language)


@latents.command(help=say("cli.latents_trim"))
@file_argument("file")
@click.option("--start", type=Number(0), default=0, metavar="N", help=say("cli.latents_start"))
@click.option("--end", type=Number(0), default=0, metavar="N", help=say("cli.latents_end"))
@out_flag
@json_flag
def trim(file: Path, start: int, end: int, out: Path | None, as_json: bool) -> None:
    from eichi.video import splice

    with reporting(as_json) as settings:
        made = splice.trim_latents(file, target(out, settings, file, "trimmed"), start, end)
        tell_made(made, as_json, settings.language)


@latents.command(help=say("cli.latents_fill"))
@file_argument("before")
@file_argument("after")
@some_flags(FillOptions)
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@out_flag
@json_flag
def fill(
    before: Path, after: Path, assignments: tuple[str, ...], out: Path | None, as_json: bool, **flags: Any
) -> None:
    from eichi.library.whereabouts import model_place
    from eichi.library.wildcards import drawn_request
    from eichi.prepare import make_fill_plan
    from eichi.video.splice import model_of, read_source

    with reporting(as_json) as settings:
        model = model_of([read_source(before), read_source(after)], flags["model"])
        flags["model"] = model_place(model, settings.cache)
        flags |= {"before": before, "after": after}
        asked = located(read_request(FillOptions, assignments, flags, settings), settings.loras)
        plan = make_fill_plan(drawn_request(asked, settings.lists), settings.model_folders)
        path = target(out, settings, before, "filled")
        from eichi.models.load import Components
        from eichi.pipeline import convert

        components = Components(plan.entry, settings.runtime)
        follow(lambda stop: convert.fill(plan, path, components, stop), as_json, settings)


@latents.command(help=say("cli.latents_extend"))
@file_argument("file")
@some_flags(VideoOptions, "seconds", "image", "prompt", "seed")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=say("cli.set"))
@click.option("--out", type=click.Path(path_type=Path), help=say("cli.out"))
@json_flag
def extend(file: Path, assignments: tuple[str, ...], out: Path | None, as_json: bool, **flags: Any) -> None:
    from eichi.video.splice import read_source

    with reporting(as_json) as settings:
        if flags["seconds"] is None:
            raise OptionError("error.latents.seconds", flag="--seconds")
        if read_source(file).of_tool:
            extend_as_video(file, out or settings.outputs, assignments, flags, as_json, settings)
            return
        flags |= {"source": file, "kept__latents": file, "output__latents": True}
        options = located(read_request(VideoOptions, assignments, flags, settings), settings.loras)
        run_request(options, out or settings.outputs, settings, as_json)


@latents.command(name="to-mp4", help=say("cli.latents_to_mp4"))
@file_argument("file")
@some_flags(Request, "model")
@some_flags(OutputOptions, "crf")
@out_flag
@json_flag
def to_mp4(file: Path, model: str | None, crf: str | None, out: Path | None, as_json: bool) -> None:
    from eichi.video.latentfile import measure_latents
    from eichi.video.splice import model_of, read_source

    with reporting(as_json) as settings:
        output = OutputOptions.parse({} if crf is None else {"crf": crf})
        measure_latents(file)
        name, path = model_of([read_source(file)], model), target(out, settings, file, "decoded", VIDEO)
        components = decoder(name, settings)
        from eichi.pipeline import convert

        follow(lambda stop: convert.to_mp4(file, path, components, output.crf, stop), as_json, settings)


@latents.command(name="from-mp4", help=say("cli.latents_from_mp4"))
@file_argument("video")
@some_flags(Request, "model", "resolution")
@out_flag
@json_flag
def from_mp4(video: Path, out: Path | None, as_json: bool, **flags: Any) -> None:
    from eichi.catalog import find
    from eichi.plan.size import clip_size
    from eichi.video.reader import measure_video

    with reporting(as_json) as settings:
        asked = read_request(Request, (), flags, settings)
        clip, entry = measure_video(video), find(asked.model)
        size = clip_size(entry, asked.resolution, (clip.width, clip.height))
        path = target(out, settings, video, "encoded")
        components = decoder(entry.name, settings)
        from eichi.pipeline import convert

        follow(lambda stop: convert.from_mp4(video, path, components, size, stop), as_json, settings)


def extend_as_video(
    file: Path, folder: Path, assignments: tuple[str, ...], flags: Plain, as_json: bool, settings: Settings
) -> None:
    """Latents that no sections of a job lie in: decoded, continued as any video is, and put in front of the new ones.

    `--seconds` is of the whole, as it is where sections are kept.
    """
    from eichi.catalog import find
    from eichi.plan.size import resolution_of
    from eichi.video.latentfile import measure_latents
    from eichi.video.splice import figures, lengthen, model_of, read_source

    shape, model = measure_latents(file), model_of([read_source(file)])
    there, size = figures(shape)["seconds"], (shape.height * 8, shape.width * 8)
    video = target(folder, settings, file, "decoded", VIDEO)
    flags |= {"source__before": video, "model": model, "output__latents": True}
    flags["resolution"] = resolution_of(find(model), size)
    asked = located(read_request(VideoOptions, assignments, flags, settings), settings.loras)
    if asked.seconds <= there:
        raise OptionError("error.latents.long", path=file, seconds=there)
    options = VideoOptions.parse(asked.dump() | {"seconds": asked.seconds - there})
    tell(in_terminal(Adjusted("note.latents.video", {"path": str(file), "video": str(video)}), settings.language))
    components = decoder(model, settings)
    from eichi.pipeline import convert

    follow(lambda stop: convert.to_mp4(file, video, components, asked.output.crf, stop), as_json, settings)
    last = run_request(options, folder, settings, as_json)
    assert isinstance(last, Finished), f"a job that was not stopped is finished: {last}"
    if apart := lengthen(file, Path(last.video).with_suffix(LATENTS)):
        tell(in_terminal(apart, settings.language))


def tell_made(made: FileFinished, as_json: bool, language: str) -> None:
    """Say what a tool made that has nothing to tell on its way."""
    if as_json:
        print_json(made)
    else:
        click.echo(done(made, language))


def decoder(model: str, settings: Settings) -> Any:
    """A model's VAE, the only part that is looked for. torch is loaded only now."""
    from eichi.catalog import find
    from eichi.library.whereabouts import model_place
    from eichi.models.load import Components

    return Components(find(model_place(model, settings.cache)), settings.runtime, parts=("vae",))
