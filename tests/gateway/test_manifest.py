"""Documents in files, as the builds of clients write them."""

import hashlib
import json
from pathlib import Path

import pytest

from db.documents import TrustedDocument
from db.errors import PublicError
from gateway.manifest import read_documents

TAGS = "query Tags { tag { word } }"


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_every_form_of_file_gives_its_documents(tmp_path: Path) -> None:
    single = written(tmp_path, "Tags.graphql", TAGS)
    by_ids = written(tmp_path, "ids.json", {"a1": TAGS})
    listed = written(
        tmp_path,
        "manifest.json",
        {
            "format": "apollo-persisted-query-manifest",
            "version": 1,
            "operations": [{"id": "b2", "name": "Tags", "type": "query", "body": TAGS}],
        },
    )

    assert read_documents([single, by_ids, listed]) == [
        TrustedDocument(hashlib.sha256(TAGS.encode()).hexdigest(), "Tags", TAGS),
        TrustedDocument("a1", "", TAGS),
        TrustedDocument("b2", "Tags", TAGS),
    ]
    assert read_documents([]) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("x.json", "{", "it is no JSON."),
        ("x.json", [], "it is no JSON object."),
        ("x.json", {"a": 1}, "each member must be the text of a document."),
        ("x.json", {"operations": [{"id": "a"}]}, "each of its operations needs an id and a body."),
        ("x.graphql", "{ tag", "The document 'x' cannot be read."),
    ],
)
def test_a_file_without_documents_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: object, told: str
) -> None:
    with pytest.raises(PublicError) as refused:
        read_documents([written(tmp_path, name, content)])

    assert refused.value.message.endswith(told)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PublicError, match="it cannot be read"):
        read_documents([tmp_path / "none.graphql"])
