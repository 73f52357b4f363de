"""The file of an app's configuration that says whether visitors may come: `auth_providers/anon-user.json`. Pure."""

import json
import re
from pathlib import PurePath
from typing import Final, cast

from db.errors import PublicError
from db.provider_identities import ANONYMOUS

ANONYMOUS_FILE: Final = PurePath("auth_providers", f"{ANONYMOUS}.json")
# Strings first, so that a comma in one is none.
_TRAILING_COMMA: Final = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])')


class AppFileInvalid(PublicError):
    """A file of an app's configuration is missing, or says something else than it must."""

    code = "APP_FILE_INVALID"


def parse_anonymous(text: str) -> bool:
    """Whether the file lets visitors in. A comma behind the last member is taken, as the system's own documentation
    writes it. Raises AppFileInvalid.

    >>> parse_anonymous('{"name": "anon-user", "type": "anon-user", "disabled": true,}')
    False
    """
    try:
        value: object = json.loads(_TRAILING_COMMA.sub(lambda found: found[1] or "", text.removeprefix("\ufeff")))
    except (ValueError, RecursionError) as error:
        raise AppFileInvalid("The file is not JSON.") from error
    if not isinstance(value, dict):
        raise AppFileInvalid("The file must hold a JSON object.")
    members = cast("dict[str, object]", value)
    if members.get("type", ANONYMOUS) != ANONYMOUS or members.get("name", ANONYMOUS) != ANONYMOUS:
        raise AppFileInvalid(f"The file must be that of the provider {ANONYMOUS}.")
    disabled = members.get("disabled")
    if not isinstance(disabled, bool):
        raise AppFileInvalid("The member disabled must be true or false.")
    return not disabled


def render_anonymous(*, lets_in: bool) -> str:
    """The text of the file.

    >>> parse_anonymous(render_anonymous(lets_in=True))
    True
    """
    members = {"name": ANONYMOUS, "type": ANONYMOUS, "disabled": not lets_in}
    return json.dumps(members, indent=2) + "\n"
