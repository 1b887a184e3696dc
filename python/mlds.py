"""What a Python program tells mlds, and learns from it. One file without dependencies, for Python 3.9 and later.

    import mlds

    p = mlds.params(lr=0.1, width=64)  # defaults, so that the program runs without mlds too
    for epoch in range(1, 11):
        loss = ...  # train with p.lr, p.width, mlds.seed()
        mlds.report(epoch, loss=loss)
        if mlds.should_stop():
            break
    mlds.save("weights.bin", weights)

`mlds.load("SWEEP")` gives a sweep's trials to a notebook. Made by `mlds helper python`.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
from types import SimpleNamespace
from typing import Any, Iterator, Mapping, Optional, Union

__all__ = ["checkpoint", "last_checkpoint", "load", "params", "report", "save", "seed", "should_stop"]

_told: Optional[threading.Event] = None


def params(**defaults: Any) -> SimpleNamespace:
    """The trial's parameters as attributes, over these defaults; of a name that is no identifier by `vars(params())[name]`."""
    return SimpleNamespace(**{**defaults, **json.loads(os.environ.get("MLDS_PARAMS", "{}"))})


def seed(default: int = 0) -> int:
    """The trial's seed; `default` outside of a sweep."""
    return int(os.environ.get("MLDS_SEED", default))


def report(step: Optional[int] = None, metrics: Optional[Mapping[str, Any]] = None, **more: Any) -> None:
    """Tells how it stands after a step, counted from 1; without a step, what the result is. Numbers of numpy and torch do."""
    told = {} if step is None else {"step": int(step)}
    told.update({name: float(value) for name, value in {**(metrics or {}), **more}.items()})
    print(json.dumps(told), flush=True)


def save(name: str, content: Union[bytes, str, os.PathLike[str]]) -> pathlib.Path:
    """Keeps bytes, a text, or a copy of the file at a path with the trial, under a name; gives where it lies until the trial ends."""
    folder = os.environ.get("MLDS_FOLDER")
    place = pathlib.Path(folder or ".") / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        place.write_bytes(content)
    elif isinstance(content, str):
        place.write_text(content, encoding="utf-8")
    else:
        shutil.copyfile(content, place)
    return place


@contextlib.contextmanager
def checkpoint(step: int, suffix: str = "") -> Iterator[pathlib.Path]:
    """A path to write a checkpoint to, as it stands after a step; it counts once it is whole, at the end of the block.

    Without MLDS_CHECKPOINT, the folder of checkpoints, what is written goes.
    """
    kept = os.environ.get("MLDS_CHECKPOINT")
    with contextlib.ExitStack() as closing:
        folder = pathlib.Path(kept or closing.enter_context(tempfile.TemporaryDirectory()))
        unfinished = folder / f"{int(step)}.tmp"
        yield unfinished
        unfinished.replace(folder / f"{int(step)}{suffix}")


def last_checkpoint() -> Optional[tuple[int, pathlib.Path]]:
    """The step after which an earlier attempt of this trial left its last checkpoint, and where that is; None without one."""
    folder = os.environ.get("MLDS_CHECKPOINT")
    if folder is None:
        return None
    whole = [path for path in pathlib.Path(folder).iterdir() if path.suffix != ".tmp" and path.name.split(".")[0].isdigit()]
    found = [(int(path.name.split(".")[0]), path) for path in whole]
    return max(found, default=None, key=lambda one: one[0])


def should_stop() -> bool:
    """Whether mlds has told the program to end (SIGTERM): it has three seconds to save what it wants to.

    To be called from the main thread. From its first call on, SIGTERM alone no longer ends the program.
    """
    global _told
    if _told is None:
        _told = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: _told and _told.set())
    return _told.is_set()


def load(sweep: str = "latest", *, store: Optional[str] = None, command: str = "mlds") -> list[dict[str, Any]]:
    """A sweep's trials, one dictionary each: id, state, parameters, seeds and final metrics; for `pandas.DataFrame(load(…))`."""
    where = [] if store is None else ["--store", store]
    words = [*command.split(), "export", sweep, "--format", "jsonl", *where]
    try:
        ended = subprocess.run(words, check=False, capture_output=True, text=True, encoding="utf-8")
    except FileNotFoundError:
        raise RuntimeError(f"no such program: {words[0]} (say how mlds is called: load({sweep!r}, command='npx mlds'))") from None
    if ended.returncode != 0:
        raise RuntimeError(ended.stderr.strip())
    return [json.loads(line) for line in ended.stdout.splitlines()]
