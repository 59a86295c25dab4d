"""`eichi memory`: where a model's weights would lie on this machine or a described one, what the peaks would be.

Where the card is known, also how long a step would take, and what it spends its time on.
"""

from typing import TYPE_CHECKING, Any

import click

from eichi.declare import field_of
from eichi.flags import otherwise, setting_flag
from eichi.lines import duration, in_terminal
from eichi.settings import Settings
from eichi.terminal import json_flag, print_json, reporting, tell
from eichi.text import pad
from eichi.usage import Command, Number
from eichi.words import say

if TYPE_CHECKING:
    from eichi.catalog import Entry
    from eichi.plan.cards import Card
    from eichi.plan.memory import Machine, MemoryPlan

PRESERVED = Number(*field_of(Settings, "preserve_gb").bounds, whole=False)


@click.command(cls=Command, help=say("cli.memory"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--resolution", type=Number(16), help=say("option.resolution"))
@click.option("--fp8", is_flag=True, help=say("cli.memory.fp8"))
@click.option("--fp8-math", is_flag=True, help=say("cli.memory.fp8_math"))
@click.option("--lora-gb", type=Number(0.0, whole=False), default=0.0, help=say("cli.memory.lora"))
@click.option("--free-gb", type=Number(0.0, whole=False), help=say("cli.memory.free"))
@click.option("--card", help=say("cli.memory.card"))
@click.option("--ram-gb", type=Number(0.0, whole=False), help=say("cli.memory.ram"))
@click.option("--preserve-gb", type=PRESERVED, help=say("cli.memory.preserve"))
@setting_flag("gpus")
@json_flag
def memory(
    model: str,
    resolution: int | None,
    fp8: bool,
    fp8_math: bool,
    lora_gb: float,
    gpus: int | None,
    as_json: bool,
    **machine: Any,
) -> None:
    from eichi.catalog import find
    from eichi.models.gpus import check_gpus
    from eichi.plan.gpus import follower_peak
    from eichi.plan.memory import GIB, Need, plan_memory

    with reporting(as_json) as settings:
        settings = otherwise(settings, gpus=gpus)
        entry = find(model)
        check_gpus(entry, settings.runtime)
        height, width = _largest(entry, resolution)
        need = Need(height, width, fp8=fp8 or fp8_math, lora=int(lora_gb * GIB), product=fp8_math, gpus=settings.gpus)
        plan = plan_memory(entry, need, _machine(settings, **machine))
        if as_json:
            print_json(plan)
        else:
            _tell(plan, settings.language)
            if settings.gpus > 1 and plan.placement.level != "cpu":
                others = follower_peak(entry.anatomy, need) / GIB
                tell(say("memory.gpus", settings.language, gpus=settings.gpus, others=others))


def _largest(entry: "Entry", resolution: int | None) -> tuple[int, int]:
    """The largest size of a resolution, so that the forecast holds for every shape of picture."""
    from eichi.errors import OptionError

    id = entry.resolution if resolution is None else resolution
    if id not in entry.sizes:
        known = ", ".join(map(str, entry.sizes))
        raise OptionError("error.resolution.unknown", model=entry.name, value=id, known=known)
    return max(entry.sizes[id], key=lambda size: size[0] * size[1])


def _machine(
    settings: Settings, free_gb: float | None, card: str | None, ram_gb: float | None, preserve_gb: float | None
) -> "Machine":
    """The described machine; what is not described is this one's. A card is free but for what the system takes."""
    from eichi.plan.memory import GIB, RESERVED, Machine

    described = None if card is None else _card(card)
    if free_gb is None and described is not None:
        free_gb = described.gib * (1 - RESERVED)
    here = Machine(None, 0.0)
    if free_gb is None or ram_gb is None:
        from eichi.models.device import measure, pick_device

        here = measure(pick_device(settings.device))
    return Machine(
        gpu=here.gpu if free_gb is None else free_gb * GIB or None,
        ram=here.ram if ram_gb is None else ram_gb * GIB,
        preserve_gb=settings.preserve_gb if preserve_gb is None else preserve_gb,
        streams=here.streams if free_gb is None else True,
        card=described or (here.card if free_gb is None else None),
        kernel=settings.attention,
        half=settings.runtime.half,
        total=here.total if ram_gb is None else None,
    )


def _card(name: str) -> "Card":
    """A card of the table. Raises OptionError."""
    from eichi.errors import OptionError
    from eichi.plan.cards import find_card, known_cards

    card = find_card(name)
    if card is None:
        raise OptionError("error.card.unknown", name=name, known=", ".join(known_cards()))
    return card


def _tell(plan: "MemoryPlan", language: str) -> None:
    """The plan in words, a phase a line."""
    click.echo(say("memory.request", language, **vars(plan)))
    placement = {**vars(plan.placement), "blocks": plan.blocks, "moved": plan.moved}
    click.echo(say(f"memory.{plan.placement.level}", language, **placement))
    sums = [(name, sum(phase.values()), phase) for name, phase in plan.phases.items()]
    for name, total, addends in (*sums, ("memory", plan.ram, plan.memory)):
        parts = {say(f"memory.part.{part}", language): gib for part, gib in addends.items()}
        click.echo(_sum(say(f"memory.{name}", language), total, parts))
    for part, count in plan.parameters.items():
        click.echo(f"  {pad(say(f'part.{part}', language), 30)}{count:>16,}")
    if plan.speed is not None:
        click.echo(say("memory.speed", language, **vars(plan.speed), left=duration(plan.speed.job)))
        parts = {say(f"memory.step.{part}", language): seconds for part, seconds in plan.speed.parts.items()}
        click.echo(_sum(say("memory.step", language), plan.speed.step, parts))
    for note in (*plan.shortages, *plan.advice):
        tell(in_terminal(note, language))


def _sum(title: str, total: float, addends: dict[str, float]) -> str:
    """What something comes to, and of what."""
    return f"  {title}: {total:.2f} = " + " + ".join(f"{name} {value:.2f}" for name, value in addends.items())
