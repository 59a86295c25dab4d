"""What the machine is: folders, device, language, where jobs are kept. Not what a video should be; that is `options`.

Every setting is an environment variable (EICHI_HOME, EICHI_OUTPUTS …) or a key of `settings.json` in the home
folder, the variable winning. EICHI_HOME moves everything the program keeps.
"""

import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from pydantic import ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from eichi.errors import OptionError
from eichi.words import ENGLISH, languages

FILE = "settings.json"


class Settings(BaseSettings):
    """Settings of this machine, in force for one run of the program."""

    model_config = SettingsConfigDict(
        env_prefix="EICHI_", env_ignore_empty=True, frozen=True, extra="forbid", validate_default=True
    )

    home: Path
    outputs: Path = Path("outputs")
    device: str = "auto"
    language: str = ENGLISH
    store: str = ""

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
    def models(self) -> Path:
        """Where downloaded and user-given models are kept."""
        return self.home / "models"


def load_settings() -> Settings:
    """The settings of this machine. Raises OptionError naming the variable or key that is wrong."""
    home = Path(os.environ.get("EICHI_HOME") or user_data_path("eichi", appauthor=False))
    try:
        return Settings(**{"home": home, **_read(home / FILE)})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise OptionError("error.settings.value", key=key, value=repr(first["input"]), reason=first["msg"]) from error


def _read(path: Path) -> dict[str, Any]:
    """The keys of the settings file, none where there is no file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OptionError("error.settings.file", file=path, reason=error) from error
    if not isinstance(values, dict):
        raise OptionError("error.settings.file", file=path, reason="not a table of keys")
    return values
