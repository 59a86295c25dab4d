"""What the machine is: folders, device, language, where jobs are kept. Not what a video should be; that is `options`.

A setting is declared as an option is, and the page, the report on the machine and the reference page come from it.
It is an environment variable (EICHI_HOME, EICHI_OUTPUTS …) or a key of `settings.json` in the home folder, the
variable winning. EICHI_HOME moves everything the program keeps.

Settings are read where a process begins (a command, a worker, a call from Python) and handed down from there, whole or
as far as they concern the running of models; nothing below reads them again, so that one process has one answer.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from filelock import FileLock
from platformdirs import user_data_path
from pydantic import SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from eichi.catalog import ModelFolders
from eichi.declare import Optioned, Plain, option, shown
from eichi.errors import FolderError, OptionError
from eichi.files import aside, private, read_file, tighten
from eichi.reasons import Unfit, unfit
from eichi.text import encodable, figures, json_text
from eichi.words import ENGLISH, language_of, languages

FILE, PREFIX = "settings.json", "EICHI_"
# Folders in the home: LoRA files, what was given in a browser, what can be made again, lists for prompts.
LORAS, UPLOADS, CACHE, WILDCARDS = "loras", "uploads", "cache", "wildcards"
# What of the home is nobody else's, file by file.
OWN = ("*.json", "jobs.db*", "library/*", "logs/*", "uploads/*", "uploads/*/*")
NOWHERE = "-"  # for a folder: none
HEAD = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")  # of a Ray cluster, with its port
LABEL = re.compile(r"(?:[\w.-]+/)?[\w.-]+=[\w.-]*")  # as Ray has them
AUTO, NOBODY = "auto", "none"  # of devices
DATABASE = "store"  # as a place for files: the database of the jobs itself
NUMBERS = re.compile(r"(?:[a-z]+:)?\d{1,3}(?:,(?:[a-z]+:)?\d{1,3})*")  # of devices: 0,1 or cuda:0,cuda:1
# This machine by its names; what is said to it does not leave it.
LOCAL = ("localhost", "127.0.0.1", "::1")
VAE_TILE = 256  # what the VAE was made with: bounds the memory of large pictures, leaves small ones alone


@dataclass(frozen=True)
class Runtime:
    """How this machine runs a model, as its settings have it.

    `models` is where models are looked for, `cache` a folder for what can be kept between jobs, `merged_gb` so many GiB
    of it for weights with LoRAs in them. The VAE takes pictures apart that are larger than `tile` pixels, none where it
    is 0. The others are the settings of their names.
    """

    models: ModelFolders
    device: str = "auto"
    cache: Path | None = None
    merged_gb: float = 0.0
    tile: int = VAE_TILE
    attention: str = "auto"
    compiled: bool = False
    half: bool = False  # on a CPU, in bfloat16
    reproducible: bool = False
    preserve_gb: float | None = None
    gpus: int = 1


class Settings(Optioned, BaseSettings):
    """Settings of this machine, in force for one run of the program."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", validate_default=True
    )

    words = "option.setting"

    home: Path = option(..., kind="folder")
    outputs: Path = option(Path("outputs"), group="machine", kind="folder")
    device: str = option("auto", group="machine", costs=("time",), suggestions=("auto", "cpu", "cuda", "xpu", "mps"))
    # Numbers of NVIDIA cards, a worker for each; on a processor, how many workers share it.
    devices: str = option(AUTO, group="machine", kind="line", costs=("time", "memory"))
    # Folders with LoRA files beside the program's own, a semicolon between two.
    lora_folders: str = option("", group="machine")
    # Folders of ComfyUI, or with its files, likewise; NOWHERE keeps from looking in the usual places.
    comfy: str = option("", group="machine")
    # Lists for wildcards in prompts, one entry a line; without a name it is one in the home folder.
    wildcards: Path | None = option(None, group="machine", kind="folder")
    offline: bool = option(False)
    # In place of the hub, for model files: only what is fetched is named to it.
    mirror: str = option("", group="models", kind="line")
    # For what the hub opens to those who agreed to its terms. It is shown to nobody.
    token: SecretStr | None = option(None, group="models")
    # For one video; they share the tokens of each step. Another number makes the same video, but for rounding.
    gpus: int = option(1, "--gpus", group="machine", costs=("time", "memory"), ge=1, le=64)
    # As the slider of eichi 1.9 counts: 6 keeps nothing but the headroom, every GiB above it is left to others.
    preserve_gb: float | None = option(
        None, group="memory", costs=("time", "memory"), unit="gigabytes", ge=6.0, le=128.0
    )
    # Disk for weights with LoRAs merged in; a combination has up to 17 GiB.
    lora_cache_gb: float = option(0.0, group="memory", unit="gigabytes", ge=0.0, le=10_000.0)
    attention: Literal["auto", "flash", "sage", "xformers", "native", "chunked"] = option(
        "auto", group="memory", costs=("time", "memory")
    )
    # What a CPU computes in; a GPU computes in what the model was made for.
    cpu_precision: Literal["float32", "half"] = option("float32", group="memory", costs=("time", "memory"))
    # The transformer's blocks, by torch: a slow first step, faster ones after it.
    compile: bool = option(False, group="memory", costs=("time",))
    # On a card only: kernels that repeat themselves to the byte.
    reproducible: bool = option(False, group="memory", costs=("time",))
    language: str = option(ENGLISH)
    # Pictures above this many pixels go through the VAE in squares of this side; 0 takes them whole.
    vae_tile: int = option(
        VAE_TILE, group="memory", costs=("time", "memory"), unit="pixels", ge=0, le=2**16, multiple_of=32
    )
    store: str = option("")
    # Who starts the workers: this program, or a Ray cluster.
    executor: Literal["local", "ray"] = option("local")
    # The head of that cluster, host:port, or auto for one that runs here already; without it Ray is started on this
    # machine alone.
    ray_address: str = option("")
    # Which of its nodes work: labels as key=value, a comma between two.
    ray_labels: str = option("")
    # Where machines that share a store exchange files: nowhere, DATABASE for the store itself, a folder, a URL.
    place: str = option("", group="machine", kind="line")
    # Jobs to come that a token, or the password, may have at a time; 0 for any number.
    quota: int = option(0, group="machine", ge=0, le=10**6)
    log_level: Literal["error", "warning", "info", "debug"] = option("info", group="machine")

    @field_validator("home", "outputs", "lora_folders", "comfy", "place")
    @classmethod
    def possible(cls, value: Path | str) -> Path | str:
        """No system has a folder with a zero in its name, and nobody could be told of one whose name is no text."""
        if "\0" in str(value) or not encodable(value):
            raise Unfit("reason.os.name")
        return value

    @field_validator("devices")
    @classmethod
    def counted(cls, text: str) -> str:
        """Which cards, or how many workers: AUTO, NOBODY, or numbers with a comma between two."""
        plain = re.sub(r"\s*[,;、，\s]\s*", ",", figures(text).strip().lower()).strip(",") or AUTO
        if plain not in (AUTO, NOBODY) and NUMBERS.fullmatch(plain) is None:
            raise Unfit("reason.devices")
        return plain

    @field_validator("store")
    @classmethod
    def beside(cls, url: str, info: ValidationInfo) -> str:
        """Jobs are kept in the home folder unless a database is named."""
        return url or f"sqlite:///{info.data.get('home', Path()) / 'jobs.db'}"

    @field_validator("ray_address")
    @classmethod
    def heading(cls, address: str) -> str:
        """Where the head of a cluster is; Ray's own scheme is for clients, which are no part of it."""
        address = address.strip()
        if address not in ("", AUTO) and HEAD.fullmatch(address) is None:
            raise Unfit("reason.ray.address")
        return address

    @field_validator("ray_labels")
    @classmethod
    def labelled(cls, text: str) -> str:
        """Labels in the one way to write them."""
        pairs = [part.strip() for part in re.split("[,;、，]", text) if part.strip()]
        plain = [re.sub(r"\s*=\s*", "=", pair) for pair in pairs]
        if not all(LABEL.fullmatch(pair) for pair in plain):
            raise Unfit("reason.ray.labels")
        return ",".join(plain)

    @field_validator("mirror")
    @classmethod
    def sheltered(cls, address: str) -> str:
        """The address of a server, without what does not belong to it; in the open only on this machine."""
        address = address.strip().rstrip("/")
        try:
            parts = urlsplit(address)
            good = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)
            plain = parts.port is None or parts.port > 0
        except ValueError:  # half an IPv6 address, a port that is none
            good = plain = False
        beside = "@" in address or any(sign in address for sign in "?#\\ ") or not address.isprintable()
        if (address and not (good and plain and parts.hostname)) or beside:
            raise Unfit("reason.mirror")
        return address

    @field_validator("token")
    @classmethod
    def sendable(cls, token: SecretStr | None) -> SecretStr | None:
        """A token without what was copied with it."""
        text = "" if token is None else token.get_secret_value().strip()
        if not (text.isascii() and text.isprintable() and " " not in text):
            raise Unfit("reason.token")
        return SecretStr(text) if text else None

    @field_validator("language")
    @classmethod
    def known(cls, code: str) -> str:
        """A language counts as known when it has a file in `locales/`, in whatever way its code is written."""
        found = language_of(code)
        if found is None:
            raise Unfit("reason.choice", choices=", ".join(languages()))
        return found

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

    def given(self, **values: Any) -> "Settings":
        """These settings with others that a command was given, which win over variables too. Raises OptionError."""
        try:
            return Settings(**self.model_dump() | values | {"_env_prefix": f"{PREFIX}NONE_"})
        except ValidationError as error:
            raise wrong(error) from error

    @property
    def cache(self) -> Path:
        """What can be made again: encoded prompts."""
        return self.home / CACHE

    @property
    def loras(self) -> tuple[Path, ...]:
        """The folders with LoRA files, the program's own first: what is given in a page is put there."""
        return self.home / LORAS, *_folders(self.lora_folders)

    @property
    def lists(self) -> Path:
        """The folder with the lists that wildcards in prompts are drawn from."""
        return self.home / WILDCARDS if self.wildcards is None else Path(os.path.expanduser(self.wildcards))

    @property
    def logs(self) -> Path:
        """Where long-running processes write what they do."""
        return self.home / "logs"

    @property
    def models(self) -> Path:
        """Where downloaded and user-given models are kept."""
        return self.home / "models"

    @property
    def model_folders(self) -> ModelFolders:
        """Where models are looked for."""
        named = _folders(self.comfy)
        some = tuple(path for path in named if path != Path(NOWHERE))
        return ModelFolders(self.models, some, usual=len(some) == len(named))

    @property
    def runtime(self) -> Runtime:
        """What of them whoever runs a model is given."""
        return Runtime(
            models=self.model_folders,
            device=self.device,
            cache=self.cache,
            merged_gb=self.lora_cache_gb,
            tile=self.vae_tile,
            attention=self.attention,
            compiled=self.compile,
            half=self.cpu_precision == "half",
            reproducible=self.reproducible,
            preserve_gb=self.preserve_gb,
            gpus=self.gpus,
        )


def _folders(text: str) -> tuple[Path, ...]:
    """The folders that a setting names, a semicolon or a line's end between two."""
    named = (part.strip() for part in text.replace("\n", ";").split(";"))
    return tuple(Path(os.path.expanduser(part)) for part in named if part)


def variable(key: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{key.upper()}"


def settings_file() -> Path:
    """Where the settings of this machine are kept."""
    return Path(os.environ.get("EICHI_HOME") or user_data_path("eichi", appauthor=False)) / FILE


def asked_language() -> str:
    """The language that is named beside the program, for what is said before the settings are known to be good."""
    code = os.environ.get(variable("language"))
    with suppress(OptionError):  # a damaged file is said where it is read for more than this
        code = code or _read(settings_file()).get("language")
    return language_of(str(code or ENGLISH)) or ENGLISH


def load_settings() -> Settings:
    """The settings of this machine; offline is in force from here on. Raises OptionError naming the wrong value."""
    path = settings_file()
    values = _read(path)
    for key in values.keys() - Settings.model_fields.keys():  # some are the library's, and change how it reads
        raise OptionError("error.settings.value", key=key, value=shown(values[key]), reason="reason.extra")
    try:
        settings = Settings(**{"home": path.parent, **values})
    except ValidationError as error:
        raise wrong(error) from error
    if tighten(settings.home):  # of a version that left it open
        for path in (path for pattern in OWN for path in settings.home.glob(pattern)):
            tighten(path)
    if settings.offline:
        _stay_offline()
    return settings


def write_settings(home: Path, changed: Mapping[str, Any]) -> None:
    """Put keys into the settings file, leaving the others as they are, also those that somebody else is changing.

    Raises OptionError for a damaged file, FolderError.
    """
    path = home / FILE
    try:
        private(home)
        with FileLock(path.with_suffix(".lock")):
            values = _read(path) | dict(changed)
            with aside(path, private=True) as draft:
                draft.write_text(json_text(values, indent=1), encoding="utf-8")
    except OSError as error:
        raise FolderError("error.folder.write", folder=home, reason=error) from error


def wrong(error: ValidationError) -> OptionError:
    """The first complaint about settings as one sentence."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    value = shown(first["input"], secret=key == "token")
    return OptionError("error.settings.value", key=key, value=value, **unfit(first))


def _stay_offline() -> None:
    """Hold the libraries to it as well: they ask the hub library, which read its variable when it was imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        vars(constants)["HF_HUB_OFFLINE"] = True


def _read(path: Path) -> Plain:
    """The keys of the settings file, none where there is no file."""
    try:
        values = json.loads(read_file(path))  # in UTF-8 or UTF-16, with a byte-order mark or without
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OptionError("error.library.read", file=path, reason=error) from error
    except (ValueError, RecursionError) as error:
        raise OptionError("error.settings.file", file=path, reason=error) from error
    if not isinstance(values, dict):
        raise OptionError("error.settings.file", file=path, reason="reason.table")
    return values
