"""Where a language's page lives in the server. It is built when it is first asked for: most servers show one language.

Knows Gradio's way into a server, nothing of what is on the page.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from eichi.web.desk import Desk
from eichi.web.i18n import Words
from eichi.web.page import build


class LanguagePage:
    """An ASGI application to be mounted under the language's code; what it starts goes on the server's `running`."""

    def __init__(self, desk: Desk, words: Words, style: Path, upload: str, running: AsyncExitStack) -> None:
        self._desk, self._words, self._style, self._upload = desk, words, style, upload
        self._running = running
        self._app: ASGIApp | None = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._lock:
            if self._app is None:
                self._app = await self._built()
        await self._app(scope, receive, send)

    async def _built(self) -> ASGIApp:
        """The page as Gradio mounts it, taken out of the server that it was mounted in, and started like that one."""
        server = self._mounted()  # half a second, in this thread: Gradio wants the server's own loop
        await self._running.enter_async_context(server.router.lifespan_context(server))
        return next(route.app for route in server.routes if isinstance(route, Mount))

    def _mounted(self) -> FastAPI:
        server = FastAPI()
        gr.mount_gradio_app(
            server,
            build(self._desk, self._words),
            f"/{self._words.language}",
            allowed_paths=[str(self._desk.uploads)],
            blocked_paths=[str(self._desk.settings.store)],
            max_file_size=self._upload,
            footer_links=[],
            run_history=False,
            show_error=False,
            theme=_theme(),
            css_paths=[self._style],
            ssr_mode=False,
        )
        return server


def _theme() -> gr.themes.Base:
    """Quiet colours in light and dark; fonts of the visitor's system, none from elsewhere."""
    fonts = ["system-ui", "Noto Sans", "Noto Sans CJK JP", "sans-serif"]
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        font=fonts,
        font_mono=["ui-monospace", "monospace"],
    ).set(
        body_background_fill="#f5f6f9",
        body_background_fill_dark="#101218",
        block_background_fill="#ffffff",
        block_background_fill_dark="#191c24",
        block_border_width="0px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_title_text_weight="600",
        input_background_fill="#ffffff",
        input_background_fill_dark="#12141b",
        input_border_width="1px",
        input_border_color="#dcdfe6",
        input_border_color_dark="#2d323e",
        border_color_primary="#e1e4ea",
        border_color_primary_dark="#2d323e",
    )
