"""The Dockerfile and the compose file name what the product has: folders, users, addresses, options, variables.

Neither is run here; what both say is read and held against the product, so that they cannot drift from it.
"""

import json
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from eichi.commands.ui import ui
from eichi.declare import walk
from eichi.settings import PREFIX, Settings, load_settings, variable
from eichi.video.letters import LINUX
from eichi.web.api.health import OPEN
from eichi.words import language_of, languages
from tests.test_style import ROOT

SERVICES = ("cpu", "gpu")
# What stands for a value with a default, in compose's way.
VALUE = re.compile(r"\$\{(\w+):-([^}]*)\}")
# Variables of the compose file alone: the program sees none of them.
COMPOSE = {"EICHI_PUBLISH", "EICHI_UID", "EICHI_GID", "EICHI_TORCH_INDEX"}


def said(text: str) -> str:
    """A value of the compose file as it is where no variable is set."""
    return VALUE.sub(lambda found: found[2], text)


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    """The instructions of the last stage with what they say, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    whole = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", text))
    found = [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]
    last = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))
    return values


def one(lines: list[tuple[str, str]], name: str) -> str:
    (found,) = (rest for word, rest in lines if word == name)
    return found


def assigned(lines: list[tuple[str, str]], name: str) -> dict[str, str]:
    return dict(part.split("=", 1) for word, rest in lines if word == name for part in shlex.split(rest))


def arguments() -> dict[str, str]:
    """The build's arguments with what they are where nothing is said."""
    return dict(re.findall(r"(?m)^ARG (\w+)=(.*)$", (ROOT / "Dockerfile").read_text(encoding="utf-8")))


def targets(service: dict[str, Any]) -> dict[str, str]:
    """Where a service's folders lie in the container, and on the host."""
    return {target: source for source, target in (volume.split(":") for volume in service["volumes"])}


def test_what_the_user_keeps_lies_in_volumes(
    lines: list[tuple[str, str]], compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All places that the program writes to are below a volume or the one folder that is forgotten."""
    env = assigned(lines, "ENV")
    monkeypatch.setenv("EICHI_HOME", str(tmp_path))  # the container's own cannot be made here
    monkeypatch.setenv("EICHI_OUTPUTS", env["EICHI_OUTPUTS"])
    settings, home = load_settings(), PurePosixPath(env["EICHI_HOME"])
    models = home / settings.models.relative_to(tmp_path).as_posix()
    kept = {str(home): "./data", str(models): "./models", settings.outputs.as_posix(): "./outputs"}
    volumes = json.loads(one(lines, "VOLUME"))
    for service in SERVICES:
        assert targets(compose["services"][service]) == kept
    assert sorted(targets(compose["services"]["folders"]).values()) == sorted(kept.values())
    assert set(volumes) == {env["EICHI_HOME"], env["EICHI_OUTPUTS"]}
    (tmpfs,) = compose["services"]["cpu"]["tmpfs"]
    assert env["HOME"] == tmpfs.split(":")[0]
    for name in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"):
        assert PurePosixPath(env[name]).is_relative_to(home)
    # The user's document has its models there; what lies there is found, and nothing is written to it.
    made = next(rest for word, rest in lines if word == "RUN" and "install --directory" in rest)
    assert {*kept, env["HF_HOME"]} <= set(made.split())


def test_nobody_is_root(lines: list[tuple[str, str]], compose: dict[str, Any]) -> None:
    user = one(lines, "USER")
    number, group = user.split(":")
    created = next(rest for word, rest in lines if word == "RUN" and "useradd" in rest)
    assert f"groupadd --gid {group} eichi" in created
    assert f"useradd --uid {number} --gid {group}" in created
    assert int(number) >= 1000
    for name in SERVICES:
        service = compose["services"][name]
        assert said(service["user"]) == user
        assert service["cap_drop"] == ["ALL"] and service["read_only"] and "cap_add" not in service
    folders = compose["services"]["folders"]
    assert said(folders["command"][folders["command"].index("chown") + 1]) == user
    # Each by itself: below a home that is its owner's alone, a root without rights reaches nothing.
    assert {str(PurePosixPath(target).parent) for target in targets(folders)} == {folders["entrypoint"][1]}
    assert (folders["network_mode"], folders["cap_add"]) == ("none", ["CHOWN"])
    assert (
        f"/{folders['image']}" in (ROOT / "Dockerfile").read_text(encoding="utf-8").split("ARG BASE=")[1].split("\n")[0]
    )


def test_the_container_s_command_is_the_page_s_options(
    lines: list[tuple[str, str]], compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`command: ["--lang", "ru"]`, as the user's document says, with all the languages that it names."""
    entry, default = json.loads(one(lines, "ENTRYPOINT")), json.loads(one(lines, "CMD"))
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert entry[0] in project["scripts"] and entry[1] == ui.name
    for words in (default, ["--lang", "ja"], ["--lang", "zh-tw"], ["--lang", "ru"], ["--lang", "en", "--open-to-all"]):
        with click.Context(ui) as context:
            ui.parse_args(context, [*entry[2:], *words])
        assert context.params["server"] == "0.0.0.0"
        assert language_of(context.params["lang"]) in languages()
    assert compose["services"]["cpu"]["command"] == compose["services"]["gpu"]["command"] == default
    assert CliRunner().invoke(ui, [*entry[2:], "--listen"]).exit_code == 2  # what the old image began with


def test_one_port_that_this_machine_alone_reaches(lines: list[tuple[str, str]], compose: dict[str, Any]) -> None:
    port = one(lines, "EXPOSE")
    (option,) = (parameter for parameter in ui.params if parameter.name == "port")
    assert option.default == int(port)
    for name in SERVICES:
        assert [said(mapping) for mapping in compose["services"][name]["ports"]] == [f"127.0.0.1:{port}:{port}"]


def test_the_health_check_asks_what_is_answered_without_a_password(lines: list[tuple[str, str]]) -> None:
    check = one(lines, "HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "health", "exec")
    assert f"'GET', '{OPEN}'" in command[2]
    assert f"'127.0.0.1', {one(lines, 'EXPOSE')}" in command[2]


def test_every_variable_is_known(lines: list[tuple[str, str]], compose: dict[str, Any]) -> None:
    known = {variable(field.key) for field in walk(Settings)}
    text = (ROOT / "compose.yml").read_text(encoding="utf-8") + (ROOT / "docs" / "guide" / "docker.md").read_text(
        encoding="utf-8"
    )
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text)) | {key for key in assigned(lines, "ENV") if PREFIX in key}
    assert named - COMPOSE <= known
    assert {name for name, _ in VALUE.findall(text)} <= COMPOSE
    set_by_the_image = {name for name in assigned(lines, "ENV") if PREFIX in name}
    for name in SERVICES:
        handed = compose["services"][name]["environment"]
        assert all(value is None for value in handed.values())
        assert known - set_by_the_image <= handed.keys()
        assert {"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "HF_TOKEN", "HF_ENDPOINT"} <= handed.keys()


def test_a_command_of_the_document_names_its_service() -> None:
    """Without a name it means what has no profile, and starts that beside the other, on the same port."""
    text = (ROOT / "docs" / "guide" / "docker.md").read_text(encoding="utf-8")
    after = text.partition("so one runs at a time")[2]
    commands = re.findall(r"docker compose ([^&`\n]+)", after)
    assert len(commands) > 5
    assert all(set(command.split()) & set(SERVICES) for command in commands)


def test_what_compose_writes_to_is_not_taken_for_the_program_s(compose: dict[str, Any]) -> None:
    rules = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    folders = {source.removeprefix(".") + "/" for source in targets(compose["services"]["cpu"]).values()}
    assert {f"/{folder.strip('/')}/" for folder in folders} | {"/.env", "/compose.override.yml"} <= {
        f"/{rule.lstrip('/')}" for rule in rules
    }
    assert "models/" not in rules and "data/" not in rules  # the program has folders of these names


def test_the_builds_are_told_apart(compose: dict[str, Any]) -> None:
    """Every build argument is one of the Dockerfile's; the card's service takes a CUDA build and the card."""
    cpu, gpu = (compose["services"][name] for name in SERVICES)
    assert {*cpu["build"]["args"], *gpu["build"]["args"]} <= set(arguments())
    assert said(cpu["build"]["args"]["TORCH_INDEX"]) == arguments()["TORCH_INDEX"]
    assert re.search(r"/cu\d+$", said(gpu["build"]["args"]["TORCH_INDEX"]))
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and "gpu" in device["capabilities"] and device["count"] == 1
    assert (cpu.get("profiles"), gpu["profiles"]) == (None, ["gpu"])


def test_the_image_has_a_font_that_labels_are_looked_for_in(lines: list[tuple[str, str]]) -> None:
    font = arguments()["FONTS"].strip('"')
    installed = next(rest for word, rest in lines if word == "RUN" and "apt-get install" in rest)
    assert "$FONTS" in installed and any(path.endswith(f"/{font.removeprefix('fonts-')}.ttc") for path in LINUX)


def test_the_image_has_the_program_and_nothing_of_a_user(lines: list[tuple[str, str]]) -> None:
    """Only what is let in can be copied, and that is what the build needs."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {name for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", text) for name in line.split()[:-1]}
    assert {name.partition("/")[0] for name in copied} == let_in
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch(name, pattern) for name in let_in for pattern in ("data", "models", "outputs", "*.env"))
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    labels = assigned(lines, "LABEL")
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
