"""`eichi doctor`: a look at the machine, and with `--fix` the torch that is right for it."""

import sys

import click

from eichi.terminal import FAILED, json_flag, print_json, reporting, tell
from eichi.usage import Command
from eichi.words import say


@click.command(cls=Command, help=say("cli.doctor"))
@click.option("--fix", "mend", is_flag=True, help=say("cli.doctor.fix"))
@json_flag
def doctor(mend: bool, as_json: bool) -> None:
    with reporting(as_json) as settings:
        if mend:
            from eichi.torchfix import fix

            fixed = fix(settings, lambda id, **values: tell(say(id, settings.language, **values)))
            if as_json:
                print_json(fixed)
            return
        from eichi.doctor import examine

        report = examine(settings)
        if as_json:
            print_json(report)
        else:
            for finding in report.findings:
                mark = {"good": "✓", "warn": "!", "bad": "✗"}[finding.state]
                click.echo(f"{mark} {say(finding.id, settings.language, **finding.values)}")
        if any(finding.state == "bad" for finding in report.findings):
            sys.exit(FAILED)
