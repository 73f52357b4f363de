"""read_documents: the documents in files, as a build has written them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import orjson

from db.documents import TrustedDocument
from db.errors import PublicError
from schema.roles_pbac.documents import to_document


class ManifestInvalid(PublicError):
    """A file that holds no documents."""

    code = "MANIFEST_INVALID"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} holds no documents: {why}.")


def read_documents(paths: Iterable[Path]) -> list[TrustedDocument]:
    """The documents of all files. A file `.json` is a manifest: an object of texts by their ids, or one with a list of
    `operations` that each have an `id` and a `body`; any other is one document. Raises ManifestInvalid, BadInput."""
    return [document for path in paths for document in _read_file(path)]


def _read_file(path: Path) -> list[TrustedDocument]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestInvalid(path, "it cannot be read") from error
    if path.suffix != ".json":
        return [to_document(text, name=path.stem)]
    try:
        manifest = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ManifestInvalid(path, "it is no JSON") from error
    if not isinstance(manifest, dict):
        raise ManifestInvalid(path, "it is no JSON object")
    members = cast("Mapping[str, object]", manifest)
    operations = members.get("operations")
    if isinstance(operations, list):
        return [_from_operation(path, each) for each in cast("list[object]", operations)]
    if not all(isinstance(query, str) for query in members.values()):
        raise ManifestInvalid(path, "each member must be the text of a document")
    return [to_document(query, key) for key, query in cast("Mapping[str, str]", members).items()]


def _from_operation(path: Path, operation: object) -> TrustedDocument:
    members = cast("Mapping[str, object]", operation if isinstance(operation, dict) else {})
    key, body, name = members.get("id"), members.get("body"), members.get("name", "")
    if not isinstance(key, str) or not isinstance(body, str) or not isinstance(name, str):
        raise ManifestInvalid(path, "each of its operations needs an id and a body")
    return to_document(body, key, name)
