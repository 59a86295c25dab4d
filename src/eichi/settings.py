"""What the machine is: folders, device, language. Not what a video should be; that is `options`.

Every setting is an environment variable (EICHI_HOME, EICHI_OUTPUTS …) or a key of `settings.json` in the home
folder, the variable winning. EICHI_HOME moves everything the program keeps.
"""

import os
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from eichi.errors import OptionError
from eichi.words import ENGLISH, languages

FILE = "settings.json"


class Settings(BaseSettings):
    """Settings of this machine, in force for one run of the program."""

    model_config = SettingsConfigDict(env_prefix="EICHI_", frozen=True, extra="forbid", validate_default=True)

    home: Path = Field(default_factory=lambda: user_data_path("eichi", appauthor=False))
    outputs: Path = Path("outputs")
    device: str = "auto"
    language: str = ENGLISH

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
        """Given values beat variables, variables beat the file in the home folder."""
        home = Path(os.environ.get("EICHI_HOME") or user_data_path("eichi", appauthor=False))
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, json_file=home / FILE)

    @property
    def models(self) -> Path:
        """Where downloaded and user-given models are kept."""
        return self.home / "models"


def load_settings() -> Settings:
    """The settings of this machine. Raises OptionError naming the variable or key that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise OptionError("error.settings.value", key=key, value=repr(first["input"]), reason=first["msg"]) from error
    except ValueError as error:  # the file is not JSON
        raise OptionError("error.settings.file", file=FILE, reason=str(error)) from error
