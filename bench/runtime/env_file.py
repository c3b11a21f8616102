"""Variables of a contender that stand elsewhere: in its env file, or in the shell of the user."""

import os
from io import StringIO

from dotenv import dotenv_values

from bench.errors import UsageError
from bench.files import text_of
from bench.model.contender import Contender


def read(contender: Contender) -> dict[str, str]:
    """Return the variables of a contender's env file; raises UsageError without that file."""
    if contender.env_file is None:
        return {}
    file = contender.place / contender.env_file
    try:
        text = text_of(file)
    except OSError as error:
        raise UsageError(
            f"{contender.name}: env_file: {contender.env_file}: {error.strerror}: name one that is there, or "
            "set its variables under env"
        ) from error
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def passed(contender: Contender) -> dict[str, str]:
    """Return the variables that a contender takes from the shell; raises UsageError if one is not set."""
    if missing := [name for name in contender.pass_env if name not in os.environ]:
        raise UsageError(
            f"{contender.name}: pass_env: {', '.join(missing)} is not set in your shell: export it, or set "
            "it under env"
        )
    return {name: os.environ[name] for name in contender.pass_env}
