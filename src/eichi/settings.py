"""What the machine is: folders, device, language, where jobs are kept. Not what a video should be; that is `options`.

Every setting is an environment variable (EICHI_HOME, EICHI_OUTPUTS …) or a key of `settings.json` in the home
folder, the variable winning. EICHI_HOME moves everything the program keeps.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from eichi.errors import OptionError
from eichi.words import ENGLISH, languages

FILE = "settings.json"
VAE_TILE = 256  # what the VAE was made with: bounds the memory of large pictures, leaves small ones alone


class Settings(BaseSettings):
    """Settings of this machine, in force for one run of the program."""

    model_config = SettingsConfigDict(
        env_prefix="EICHI_", env_ignore_empty=True, frozen=True, extra="forbid", validate_default=True
    )

    home: Path
    outputs: Path = Path("outputs")
    device: str = "auto"
    offline: bool = False
    # As the slider of eichi 1.9 counts: 6 keeps nothing but the headroom, every GiB above it is left to others.
    preserve_gb: float | None = Field(None, ge=6.0, le=128.0)
    lora_cache_gb: float = Field(0.0, ge=0.0)  # disk for weights with LoRAs merged in; a combination has up to 17 GiB
    attention: Literal["auto", "flash", "sage", "xformers", "native", "chunked"] = "auto"
    compile: bool = False  # the transformer's blocks, by torch: a slow first step, faster ones after it
    language: str = ENGLISH
    # Pictures above this many pixels go through the VAE in squares of this side; 0 takes them whole.
    vae_tile: int = Field(VAE_TILE, ge=0, multiple_of=32)
    store: str = ""
    log_level: Literal["error", "warning", "info", "debug"] = "info"

    @field_validator("store")
    @classmethod
    def beside(cls, url: str, info: ValidationInfo) -> str:
        """Jobs are kept in the home folder unless a database is named."""
        return url or f"sqlite:///{info.data.get('home', Path()) / 'jobs.db'}"

    @field_validator("language")
    @classmethod
    def known(cls, code: str) -> str:
        """A language counts as known when it has a file in `locales/`."""
        if code not in languages():
            raise ValueError(f"expected one of {', '.join(languages())}")
        return code

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables beat given values, which are those of the file in the home folder."""
        return env_settings, init_settings

    @property
    def cache(self) -> Path:
        """What can be made again: encoded prompts."""
        return self.home / "cache"

    @property
    def logs(self) -> Path:
        """Where long-running processes write what they do."""
        return self.home / "logs"

    @property
    def models(self) -> Path:
        """Where downloaded and user-given models are kept."""
        return self.home / "models"


def settings_file() -> Path:
    """Where the settings of this machine are kept."""
    return Path(os.environ.get("EICHI_HOME") or user_data_path("eichi", appauthor=False)) / FILE


def load_settings() -> Settings:
    """The settings of this machine; offline is in force from here on. Raises OptionError naming the wrong value."""
    path = settings_file()
    try:
        settings = Settings(**{"home": path.parent, **_read(path)})
    except ValidationError as error:
        raise wrong(error) from error
    if settings.offline:
        _stay_offline()
    return settings


def wrong(error: ValidationError) -> OptionError:
    """The first complaint about settings as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return OptionError("error.settings.value", key=key, value=repr(first["input"]), reason=first["msg"])


def _stay_offline() -> None:
    """Hold the libraries to it as well: they ask the hub library, which read its variable when it was imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True


def _read(path: Path) -> dict[str, Any]:
    """The keys of the settings file, none where there is no file."""
    try:
        values = json.loads(path.read_bytes())  # in UTF-8 or UTF-16, with a byte-order mark or without
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OptionError("error.settings.file", file=path, reason=error) from error
    if not isinstance(values, dict):
        raise OptionError("error.settings.file", file=path, reason="not a table of keys")
    return values
