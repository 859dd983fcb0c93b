"""The views of the news database, written in JavaScript for CouchDB.

Rule: increase VERSION with every change. A service never overwrites a newer design document, so old
and new replicas can run side by side during an update.

Each row contains an article without its text, so listing articles requires no further reads.
"""

from typing import Any, Final

VERSION: Final = 2
NAME: Final = "news"

_LISTED: Final = (
    "var listed = {}; for (var name in doc) {"
    " if (name !== 'text' && name !== '_rev' && name !== 'fingerprint') listed[name] = doc[name]; }"
)


def _view(body: str, *, reduce: str | None = "_count") -> dict[str, str]:
    code = f"function (doc) {{ if (doc.type !== 'news') return; {body} }}"
    return {"map": code} | ({"reduce": reduce} if reduce else {})


DESIGN: Final[dict[str, Any]] = {
    "_id": f"_design/{NAME}",
    "language": "javascript",
    "version": VERSION,
    "views": {
        "by_published": _view(f"{_LISTED} emit([doc.published, doc._id], listed);"),
        "by_source": _view(f"{_LISTED} emit([doc.source, doc.published, doc._id], listed);"),
        "by_label": _view(
            f"if (!doc.ml) return; {_LISTED} emit([doc.ml.label, doc.published, doc._id], listed);"
        ),
        "by_symbol": _view(
            f"if (!doc.ml) return; {_LISTED}"
            " doc.ml.symbols.forEach(function (symbol) {"
            " emit([symbol, doc.published, doc._id], listed); });"
        ),
        "by_topic": _view(
            f"if (!doc.ml) return; {_LISTED}"
            " doc.ml.topics.forEach(function (topic) {"
            " emit([topic, doc.published, doc._id], listed); });"
        ),
        "by_fingerprint": _view(
            "for (var at = 0; at < 16; at += 4) {"
            " emit([at / 4, doc.fingerprint.substr(at, 4)], doc.fingerprint); }",
            reduce=None,
        ),
        "sentiment": _view(
            # A score that is not a number would make the reduction fail for all articles.
            "if (!doc.ml || typeof doc.ml.score !== 'number' || Math.abs(doc.ml.score) > 1) return;"
            " var day = doc.published.substr(0, 10);"
            " emit(['*', day], doc.ml.score);"
            " doc.ml.symbols.forEach(function (symbol) { emit([symbol, day], doc.ml.score); });",
            reduce="_stats",
        ),
    },
}
