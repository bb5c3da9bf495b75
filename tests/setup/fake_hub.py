"""A supervisor over fake children, run as a process of its own: fake_hub.py FOLDER NAME=MODE..."""

import os
import sys
from pathlib import Path

from riskhub.runhub.child import ChildSpec
from riskhub.runhub.console import Console
from riskhub.runhub.leftovers import RUN_ID_NAME, AlreadyRunningError, Run, clear_leftovers
from riskhub.runhub.supervisor import Patience, StartError, StopRequestedError, Supervisor

GRACE_S = float(os.environ.get("FAKE_GRACE_S", "1"))
PATIENCE = Patience(
    grace=GRACE_S, backoff=0.1, longest=0.4, steady=60.0, remembered=600.0, tick=0.05
)


def spec_of(word: str, *, folder: Path, run_id: str) -> ChildSpec:
    name, mode = word.split("=")
    program = str(Path(__file__).with_name("fake_child.py"))
    return ChildSpec(
        name=name,
        title=f"the {name}",
        command=(sys.executable, "-I", "-S", program, name, mode, str(folder)),
        meanwhile="Nothing is baked.",
        environment={**os.environ, RUN_ID_NAME: run_id},
        is_last=name == "broker",
    )


def supervise(supervisor: Supervisor, specs: list[ChildSpec], order: Path) -> int:
    try:
        for spec in specs:
            supervisor.start(spec)
            supervisor.wait_until(
                lambda name=spec.name: f"{name} up" in order.read_text(), within_s=10, what="slow"
            )
        supervisor.console.say("ready")
        supervisor.watch()
    except StartError as error:
        supervisor.console.say(str(error))
        return 1
    except StopRequestedError:
        return 0
    finally:
        supervisor.console.say("stopping")
        supervisor.stop()
    return 0


def main() -> int:
    folder = Path(sys.argv[1])
    order = folder / "order"
    order.touch()
    try:
        run = Run(folder)
    except AlreadyRunningError as error:
        sys.exit(str(error))
    clear_leftovers(folder, grace_s=0.3)
    specs = [spec_of(word, folder=folder, run_id=run.run_id) for word in sys.argv[2:]]
    supervisor = Supervisor(
        folder=folder, run=run, console=Console(), patience=PATIENCE, is_verbose=False
    )
    supervisor.url = "http://127.0.0.1:1/"
    with supervisor.signals():
        code = supervise(supervisor, specs, order)
    run.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
