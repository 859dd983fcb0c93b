"""Stores the feeds' states in CouchDB, so that articles are not fetched again after a restart."""

from typing import Any, Final

from pydantic import ValidationError

from runtime.errors import GoneError
from services.newswatcher.feeds import Feed
from services.newswatcher.schedule import FeedState
from services.stores.couch import ConflictError, Couch

DATABASE: Final = "feeds"
_ATTEMPTS: Final = 5


class FeedStates:
    """The database of feed states, with one document for each feed."""

    def __init__(self, couch: Couch, *, database: str = DATABASE) -> None:
        self._couch = couch
        self._database = database

    async def load(self, feed: Feed) -> FeedState:
        """Return the feed's stored state, or a new state if no valid state is stored."""
        fresh = FeedState(id=feed.id, name=feed.name, url=feed.url)
        try:
            doc = await self._couch.get(self._database, feed.id)
        except GoneError:
            await self._couch.ensure_database(self._database)
            return fresh
        try:
            return FeedState.model_validate(doc).model_copy(update={"name": feed.name})
        except ValidationError:
            return fresh.model_copy(update={"rev": doc.get("_rev")})

    async def save(self, state: FeedState) -> FeedState:
        """Store a state and return it with its new revision.

        During an update, two replicas briefly run at the same time. Their states are
        merged, so an entry counts as seen if either replica has seen it.
        """
        for _ in range(_ATTEMPTS):
            try:
                rev = await self._couch.put(self._database, _doc(state))
            except ConflictError:
                state = await self._merged(state)
            except GoneError:
                # The database was deleted or never created.
                await self._couch.ensure_database(self._database)
                state = state.model_copy(update={"rev": None})
            else:
                return state.model_copy(update={"rev": rev})
        raise ConflictError(f"writing {state.id}: {_ATTEMPTS} conflicts in a row")

    async def _merged(self, ours: FeedState) -> FeedState:
        try:
            doc = await self._couch.get(self._database, ours.id)
        except GoneError:
            return ours.model_copy(update={"rev": None})
        try:
            seen = FeedState.model_validate(doc).seen
        except ValidationError:
            seen = {}
        return ours.model_copy(update={"rev": doc["_rev"], "seen": {**seen, **ours.seen}})


def _doc(state: FeedState) -> dict[str, Any]:
    doc = {**state.model_dump(by_alias=True, mode="json"), "type": "feed"}
    if state.rev is None:
        del doc["_rev"]
    return doc
