"""`eichi ui`: the page in a browser. Models are loaded by the worker that it starts."""

import webbrowser
from typing import TYPE_CHECKING

import click

from eichi.declare import shown
from eichi.errors import OptionError
from eichi.terminal import reporting, tell
from eichi.usage import Command, Number
from eichi.words import language_of, languages, say

if TYPE_CHECKING:
    from eichi.web.access import Access

LOCAL = ("127.0.0.1", "localhost", "::1")


@click.command(cls=Command, help=say("cli.ui"))
@click.option("--port", type=Number(1, 65535), default=8001, show_default=True, help=say("cli.ui.port"))
@click.option("--server", default="127.0.0.1", show_default=True, help=say("cli.ui.server"))
@click.option("--open-to-all", is_flag=True, help=say("cli.ui.open_to_all"))
@click.option("--new-password", is_flag=True, help=say("cli.ui.new_password"))
@click.option("--new-token", metavar="NAME", help=say("cli.ui.new_token"))
@click.option("--drop-token", metavar="NAME", help=say("cli.ui.drop_token"))
@click.option("--inbrowser", is_flag=True, help=say("cli.ui.inbrowser"))
@click.option("--lang", metavar="|".join(languages()), help=say("cli.ui.lang"))
def ui(
    port: int,
    server: str,
    open_to_all: bool,
    new_password: bool,
    new_token: str | None,
    drop_token: str | None,
    inbrowser: bool,
    lang: str | None,
) -> None:
    with reporting(False) as settings:
        from eichi.prepare import check_folder
        from eichi.web.access import Access
        from eichi.web.listening import Already, listen, reached

        check_folder(settings.home)  # with a container's first start it may be somebody else's
        chosen = None if lang is None else _known(lang)
        language = chosen or settings.language
        if new_token is not None or drop_token is not None:
            _tokens(Access(settings.home), new_token, drop_token, language)
            return
        access = None if server in LOCAL or open_to_all else Access(settings.home)
        if new_password or (access is not None and not access.known):
            password, token = Access(settings.home).renew(named=not new_password)
            tell(say("ui.password", language, password=password, token=token))
        if open_to_all and server not in LOCAL:
            tell(say("ui.open", language))
        at = {"server": reached(server), "port": port}
        try:
            listener = listen(server, port)
        except Already:
            tell(say("ui.already", language, **at))
            if inbrowser:
                webbrowser.open("http://{server}:{port}/".format(**at))
            return
        with listener:
            from eichi.web.app import serve

            address = say("ui.address", language, **at)
            serve(settings, listener, server, port, inbrowser, chosen, lambda: tell(address), access)


def _tokens(access: "Access", new: str | None, drop: str | None, language: str) -> None:
    """Give a name a token, or take one away, and start nothing. Raises InputError."""
    if drop is not None:
        access.take(drop)
        tell(say("ui.token_gone", language, name=drop))
    if new is not None:
        token = access.give(new)
        tell(say("ui.token", language, name=new))
        click.echo(token)  # by itself, so that a file or a pipe takes the token and nothing else


def _known(lang: str) -> str:
    """The language that a code means. Raises OptionError."""
    found = language_of(lang)
    if found is None:
        raise OptionError("error.option.choice", key="--lang", value=shown(lang), choices=", ".join(languages()))
    return found
