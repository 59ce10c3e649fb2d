"""The `jimbot` command: one file a group of commands, none imported before it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from jimbot import __version__
from jimbot.errors import JimbotError

# command → (file in this package, one line of help). To delete a command, delete both.
COMMANDS = {
    "up": ("up", "Start the appliance and show it working."),
    "status": ("status", "Show services, backups and alerts on one screen."),
    "health": ("health", "Tell how every service is."),
    "top": ("top", "Show what services use, against their limits."),
    "logs": ("logs", "Show what services said, and one game's way through them."),
    "alerts": ("alerts", "List and silence alerts, and test how they are told."),
    "deploy": ("deploy", "Make a new generation and roll the services to it."),
    "rollback": ("rollback", "Roll the services back to an earlier generation."),
    "generations": ("generations", "List what was deployed when."),
    "drain": ("drain", "Let services finish what they do, and keep them down."),
    "undrain": ("undrain", "Take drained services back."),
    "test-integration": ("test_integration", "Play a game through every service, check the data."),
    "play": ("play", "Play Balatro in the terminal, by hand or by a policy."),
    "evaluate": ("evaluate", "Measure a policy on held-out seeds."),
    "train": ("train", "Train in the foreground, without the rest of the appliance."),
    "export": ("export", "Write the trained policy to a file that plays with numpy alone."),
    "bundle": ("bundle", "Write what a small machine needs to play to one file."),
    "edge": ("edge", "Play from a bundle, offline, with the core alone."),
    "seed": ("seed", "Tell what a seed deals, ante by ante."),
    "game": ("game", "Serve the simulated game to programs written for BalatroBot."),
    "games": ("games", "List, show and replay the games in the log."),
    "claude": ("claude", "The gateway to Claude: its keys."),
    "costs": ("costs", "Tell what Claude costs."),
    "init-db": ("initdb", "Create the stores' schemas and the game knowledge."),
    "db": ("db", "Tell how the stores are, migrate and rebuild them."),
    "render": ("render", "Write manifests, alert rules and dashboards from the table."),
    "backup": ("backup", "Make and prove backups."),
    "restore": ("restore", "Bring a home back from a backup."),
    "doctor": ("doctor", "Find what is wrong, and the command that mends it."),
    "preflight": ("preflight", "Go through the checklist before a deployment."),
    "verify": ("verify", "Go through the checklist after a deployment."),
    "drill": ("drill", "Prove that a backup would bring the home back."),
    "tokens": ("tokens", "Who may use the appliance, and for what."),
    "certs": ("certs", "Certificates for games on other machines."),
    "audit": ("audit", "What was done to the appliance, and by whom."),
    "config": ("config", "Check and show the appliance table."),
    "forward": ("forward", "Lead sockets to ports, inside containers."),
    "serve": ("serve", "Run one service in the foreground."),
}


class LazyGroup(click.Group):
    """A group that imports a command's file only to run it, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"jimbot.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except JimbotError as error:
            click.echo(f"jimbot: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jimbot")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="JIMBOT_HOME",
    help="Where state lives.  [env: JIMBOT_HOME; default: $XDG_STATE_HOME/jimbot]",
)
@click.option(
    "--table",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="JIMBOT_TABLE",
    help="Another appliance table than the one in the package.  [env: JIMBOT_TABLE]",
)
@click.pass_context
def main(context: click.Context, home: Path | None, table: Path | None) -> None:
    """Train an agent to play Balatro, play the real game with it, and keep both well."""
    if table is not None:
        os.environ["JIMBOT_TABLE"] = str(table.absolute())  # for the services that `up` starts
    context.obj = Options(home, table)


class Options:
    """What the options before the command say; read only when a command needs it."""

    def __init__(self, home: Path | None, table: Path | None) -> None:
        self._home = home
        self._table = table

    @property
    def home(self) -> Any:
        from jimbot.appliance import Home

        return Home(self._home.absolute()) if self._home else Home.default()

    @property
    def table(self) -> Path | None:
        """The table's file; None for the one in the package."""
        if self._table is None and os.environ.get("JIMBOT_TABLE"):
            return Path(os.environ["JIMBOT_TABLE"])
        return self._table

    @property
    def appliance(self) -> Any:
        from jimbot.appliance import load

        return load(self._table)
