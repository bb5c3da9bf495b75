"""The whole system on one machine: what starts, in which order, and what a person is told."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from riskhub.runhub import plan
from riskhub.runhub.console import Console
from riskhub.runhub.facts import ROOT, Facts, FactsError, read_facts
from riskhub.runhub.leftovers import AlreadyRunningError, Run, clear_leftovers
from riskhub.runhub.port import PortError, open_listener
from riskhub.runhub.probe import WebProbe, broker_answers
from riskhub.runhub.supervisor import Patience, StartError, StopRequestedError, Supervisor

_BROKER_WITHIN_S, _ALL_WITHIN_S = 20.0, 120.0
_FILES = 8192


@dataclass
class Login:
    """Who can sign in; an empty password means that it was made, and told, before."""

    username: str = ""
    password: str = ""


def run(*, is_verbose: bool) -> int:
    """Run until stopped; return the exit code. Never raises for what a person can mend."""
    console = Console()
    os.chdir(ROOT)
    os.umask(0o077)
    _raise_file_limit()
    try:
        facts = read_facts()
        hold = Run(Path(facts.data_dir))
    except (FactsError, AlreadyRunningError) as error:
        console.say(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    try:
        return _run_held(facts, hold, console, is_verbose=is_verbose)
    finally:
        hold.close()


def _run_held(facts: Facts, hold: Run, console: Console, *, is_verbose: bool) -> int:
    folder = Path(facts.data_dir)
    if clear_leftovers(folder):
        console.say("Processes that an earlier run had left behind were stopped.")
    try:
        listener = open_listener(host=facts.host, port=facts.port)
    except PortError as error:
        console.say(str(error))
        return 1
    supervisor = Supervisor(
        folder=folder, run=hold, console=console, patience=Patience(), is_verbose=is_verbose
    )
    with listener, supervisor.signals():
        hub = Hub(facts=facts, run_id=hold.run_id, listener=listener, supervisor=supervisor)
        return hub.run()


def _raise_file_limit() -> None:
    """Every open page holds a socket; macOS starts programs with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Hub:
    """One run of the system."""

    def __init__(
        self, *, facts: Facts, run_id: str, listener: socket.socket, supervisor: Supervisor
    ) -> None:
        self._facts = facts
        self._listener = listener
        self._supervisor = supervisor
        self._env = plan.environment(
            facts=facts, run_id=run_id, listener=listener, machine=plan.machine_names()
        )
        self._say = supervisor.console.say
        self._login = Login()
        supervisor.url = plan.open_url(listener)

    def run(self) -> int:
        """Start, watch and stop; return the exit code."""
        code = 0
        try:
            self._start()
            self._supervisor.watch()
        except StartError as error:
            self._say(str(error))
            self._tell_password()
            code = 1
        except StopRequestedError:
            self._tell_password()
        finally:
            self._say("Stopping ...")
            self._supervisor.stop()
        self._say("Stopped." if code == 0 else "RiskHub did not start.")
        return code

    def _start(self) -> None:
        self._say("RiskHub is starting ...")
        port = self._listener.getsockname()[1]
        if self._facts.port not in {0, port}:
            self._say(f"Port {self._facts.port} is taken; using {port}.")
        self._start_broker()
        self._prepare()
        self._start_processes()
        self._wait_for_all()
        self._welcome()

    def _wait_for_all(self) -> None:
        name = _callable_name(self._facts.allowed_hosts)
        children = self._supervisor.children.values()
        with contextlib.closing(WebProbe(listener=self._listener, host_header=name)) as probe:
            self._supervisor.wait_until(
                lambda: all(child.is_ready() for child in children) and probe.is_ready(),
                within_s=_ALL_WITHIN_S,
                what="Not every process was ready",
            )

    def _start_broker(self) -> None:
        if not self._facts.broker_program:
            return
        path = self._facts.broker_socket
        Path(path).unlink(missing_ok=True)
        self._supervisor.start(plan.broker(facts=self._facts, env=self._env))
        self._supervisor.wait_until(
            lambda: broker_answers(path),
            within_s=_BROKER_WITHIN_S,
            what="The broker did not answer",
        )

    def _prepare(self) -> None:
        command = [sys.executable, "manage.py", "prepare", "--json"]
        for line in self._supervisor.run_step(command, name="prepare", env=self._env):
            self._hear(line)

    def _hear(self, line: str) -> None:
        """Take one line of the preparation's report (manage.py prepare --json)."""
        try:
            report = json.loads(line)
        except ValueError:
            return
        if "error" in report:
            raise StartError(report["error"])
        if "say" in report:
            self._say(report["say"])
        if "login" in report:
            self._login = Login(*report["login"])

    def _start_processes(self) -> None:
        start, facts = self._supervisor.start, self._facts
        for queue, title, meanwhile in (
            ("poll", "the poll worker", "Positions are not read until it is back."),
            ("default", "the alert worker", "Alerts and exports wait until it is back."),
        ):
            start(
                plan.worker(
                    facts=facts, queue=queue, title=title, meanwhile=meanwhile, env=self._env
                )
            )
        start(plan.beat(facts=facts, env=self._env))
        start(plan.web(listener=self._listener, env=self._env))

    def _welcome(self) -> None:
        self._say()
        self._say(f"RiskHub is ready: {self._supervisor.url}")
        if self._login.password:
            self._tell_password()
        else:
            self._say(f"  Sign in as {self._login.username}; a lost password is set anew with")
            self._say(f"    .venv/bin/python manage.py changepassword {self._login.username}")
        self._say(f"  Data and logs: {self._supervisor.folder}")
        self._say("  Stop with Ctrl-C.")
        self._say()

    def _tell_password(self) -> None:
        """Tell the password that was made in this run, once; it is stored nowhere."""
        login, self._login = self._login, Login(self._login.username)
        if login.password:
            self._say(f"  Sign in as {login.username} with the password {login.password}")
            self._say("    It is shown this once; keep it, or change it after signing in.")


def _callable_name(hosts: list[str]) -> str:
    """Return a host name that the web process serves, for the supervisor's own question."""
    name = next(iter(hosts), "localhost")
    return "localhost" if name == "*" else name.lstrip(".")
