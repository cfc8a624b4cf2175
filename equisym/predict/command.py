"""The command ``equisym-predict``."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from typing import TYPE_CHECKING

from equisym.command_line import run_command
from equisym.plain_text import one_line, printable
from equisym.predict.options import PredictConfig

if TYPE_CHECKING:
    from equisym.predict.session import Session


def main() -> None:
    """Name the symmetry of images."""
    run_command(PredictConfig, _predict, prog="equisym-predict", positional=("images",))


def _predict(config: PredictConfig) -> None:
    from equisym.predict.session import Session

    session = Session(config)  # wrong options are told before anything heavy is loaded
    if config.serve:
        from equisym.predict.web import serve

        serve(config.model, port=config.port)
        return
    try:
        _answer_all(config, session)
    except BaseException:
        with contextlib.suppress(ValueError):
            session.close()
        raise
    session.close()
    if session.failed:
        sys.exit(2)
    if session.differing:
        sys.exit(1)


def _answer_all(config: PredictConfig, session: Session) -> None:
    """One line for each file; a file that fails is reported on stderr, and the others continue."""
    from tqdm import tqdm

    from equisym.predict.file_answers import ModelError
    from equisym.predict.file_list import find_images
    from equisym.predict.table import HEADING

    def tell(name: str, text: str) -> None:
        """One line on stderr, with the file's name unless the text begins with it."""
        name, text = printable(name), one_line(text)
        named = "" if text.startswith(name.partition("#")[0]) else f"{name}: "
        tqdm.write(f"equisym-predict: {named}{text}", file=sys.stderr)

    def miss(error: OSError) -> None:
        """A folder that cannot be listed."""
        session.failed += 1
        tell(str(error.filename), f"the folder cannot be read ({error.strerror})")

    outputs = [folder for folder in (config.overlay, config.report, config.export) if folder is not None]
    files = find_images(config.images, miss, outputs=outputs)
    if not config.json:
        print(HEADING, flush=True)
    quiet = len(files) < 2 or not sys.stderr.isatty()
    answers = zip(files, session.answering.answers(files), strict=True)
    for file, found in tqdm(answers, total=len(files), unit="image", delay=2, disable=quiet):
        warnings.showwarning = lambda text, *_, name=file, **__: tell(name, f"warning: {text}")  # pyright: ignore[reportAttributeAccessIssue]
        try:
            if isinstance(found, Exception):
                raise found
            line = session.record(file, found)
        except (BrokenPipeError, KeyboardInterrupt, ModelError, ModuleNotFoundError):
            raise
        except Exception as error:  # an error in one file does not stop the others
            session.failed += 1
            for text in getattr(error, "__notes__", ()):
                tell(file, f"warning: {text}")
            tell(file, str(error) or type(error).__name__)
            continue
        tqdm.write(line if isinstance(line, str) else json.dumps(line, allow_nan=False), file=sys.stdout)
        for remark in (*(f"warning: {text}" for text in session.warnings), *session.unwritten):
            tell(file, remark)
