"""`eichi memory`: where a model's weights would lie on this machine or a described one, and what the peaks would be."""

from typing import TYPE_CHECKING, Any

import click

from eichi.declare import field_of
from eichi.lines import in_terminal
from eichi.settings import Settings
from eichi.terminal import json_flag, print_json, reporting, tell
from eichi.usage import Command, Number
from eichi.words import say

if TYPE_CHECKING:
    from eichi.catalog import Entry
    from eichi.plan.memory import Machine, MemoryPlan

PRESERVED = Number(*field_of(Settings, "preserve_gb").bounds, whole=False)


@click.command(cls=Command, help=say("cli.memory"))
@click.option("--model", default="framepack", show_default=True, help=say("option.model"))
@click.option("--resolution", type=Number(16), help=say("option.resolution"))
@click.option("--fp8", is_flag=True, help=say("cli.memory.fp8"))
@click.option("--lora-gb", type=Number(0.0, whole=False), default=0.0, help=say("cli.memory.lora"))
@click.option("--free-gb", type=Number(0.0, whole=False), help=say("cli.memory.free"))
@click.option("--ram-gb", type=Number(0.0, whole=False), help=say("cli.memory.ram"))
@click.option("--preserve-gb", type=PRESERVED, help=say("cli.memory.preserve"))
@json_flag
def memory(model: str, resolution: int | None, fp8: bool, lora_gb: float, as_json: bool, **machine: Any) -> None:
    from eichi.catalog import find
    from eichi.plan.memory import GIB, Need, plan_memory

    with reporting(as_json) as settings:
        entry = find(model)
        height, width = _largest(entry, resolution)
        need = Need(height, width, fp8=fp8, lora=int(lora_gb * GIB))
        plan = plan_memory(entry, need, _machine(settings, **machine))
        if as_json:
            print_json(plan)
        else:
            _tell(plan, settings.language)


def _largest(entry: "Entry", resolution: int | None) -> tuple[int, int]:
    """The largest size of a resolution, so that the forecast holds for every shape of picture."""
    from eichi.errors import OptionError

    id = entry.resolution if resolution is None else resolution
    if id not in entry.sizes:
        known = ", ".join(map(str, entry.sizes))
        raise OptionError("error.resolution.unknown", model=entry.name, value=id, known=known)
    return max(entry.sizes[id], key=lambda size: size[0] * size[1])


def _machine(settings: Settings, free_gb: float | None, ram_gb: float | None, preserve_gb: float | None) -> "Machine":
    """The described machine; what is not described is this one's."""
    from eichi.plan.memory import GIB, Machine

    if free_gb is None or ram_gb is None:
        from eichi.models.device import measure, pick_device

        here = measure(pick_device(settings.device))
        gpu, ram = here.gpu, here.ram
    else:
        gpu, ram = None, 0.0
    preserve = settings.preserve_gb if preserve_gb is None else preserve_gb
    gpu = gpu if free_gb is None else free_gb * GIB or None
    return Machine(gpu, ram if ram_gb is None else ram_gb * GIB, preserve, half=settings.runtime.half)


def _tell(plan: "MemoryPlan", language: str) -> None:
    """The plan in words, a phase a line."""
    click.echo(say("memory.request", language, **vars(plan)))
    placement = {**vars(plan.placement), "blocks": plan.blocks, "moved": plan.moved}
    click.echo(say(f"memory.{plan.placement.level}", language, **placement))
    for name, phase in plan.phases.items():
        addends = " + ".join(f"{part} {gib:.2f}" for part, gib in phase.items())
        click.echo(f"  {say(f'memory.{name}', language)}: {sum(phase.values()):.2f} = {addends}")
    addends = " + ".join(f"{part} {gib:.2f}" for part, gib in plan.memory.items())
    click.echo(f"  {say('memory.memory', language)}: {plan.ram:.2f} = {addends}")
    for part, count in plan.parameters.items():
        click.echo(f"  {part:<18}{count:>16,}")
    for note in plan.shortages:
        tell(in_terminal(note, language))
