"""The cheap checks of a request, all before any network: form, freshness, replay, rate.

Rule: nothing here may cost more than microseconds or remember without bound; the broker's
password is all a flood needs. Time comes in; memory is forgotten after twice the skew.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from leader.view.model import Denied
from wire import proof
from wire.messages import AwsProof, DenialCode, JoinRequest, is_fresh

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class IntakePolicy:
    """What a request must keep to."""

    cluster: str
    identity: str
    regions: frozenset[str]
    skew: timedelta = timedelta(seconds=60)
    asks_per_minute: int = 20
    """Per access key, or per name of a machine outside AWS."""


class Intake:
    """Screens requests; holds the signatures and rates of the last minutes, bounded."""

    def __init__(self, policy: IntakePolicy) -> None:
        self._policy = policy
        self._seen: OrderedDict[str, datetime] = OrderedDict()
        self._rates: OrderedDict[str, deque[datetime]] = OrderedDict()

    def screen(self, request: JoinRequest, at: datetime) -> Denied | None:
        """None lets the request on to the identity check; call once for each request."""
        policy = self._policy
        if request.cluster != policy.cluster:
            return Denied(
                DenialCode.WRONG_CLUSTER,
                f"the request is for cluster {request.cluster}; this is {policy.cluster}",
                60,
            )
        if request.identity.mode != policy.identity:
            return Denied(
                DenialCode.IDENTITY_MODE,
                f"identity is shown by {request.identity.mode};"
                f" this cluster is set to {policy.identity}",
                60,
            )
        if not is_fresh(request.issued, at, policy.skew):
            return self._stale(request.issued, at)
        if isinstance(request.identity, AwsProof):
            return self._screen_proof(request.identity, at)
        return self._remember(f"{request.identity.name} {request.nonce}", request.identity.name, at)

    def _screen_proof(self, claim: AwsProof, at: datetime) -> Denied | None:
        parts = proof.AUTHORIZATION.fullmatch(claim.authorization.get_secret_value())
        if parts is None:
            return Denied(
                DenialCode.PROOF_FORM,
                "the authorization is not that of our signed call, or misses a bound header",
                60,
            )
        if parts["region"] not in self._policy.regions:
            return Denied(
                DenialCode.PROOF_FORM,
                f"signed for region {parts['region']}; this cluster is in"
                f" {', '.join(sorted(self._policy.regions))}",
                60,
            )
        signed = datetime.strptime(claim.date, proof.DATE_FORMAT).replace(tzinfo=UTC)
        if not is_fresh(signed, at, self._policy.skew):
            return self._stale(signed, at)
        return self._remember(parts["signature"], parts["access_key"], at)

    def _stale(self, said: datetime, at: datetime) -> Denied:
        off = round((said - at).total_seconds())
        return Denied(
            DenialCode.STALE,
            f"signed {abs(off)} s {'after' if off > 0 else 'before'} the leader's time;"
            f" at most {self._policy.skew.seconds} s are allowed: set the instance's clock",
            1,
        )

    def _remember(self, signature: str, key: str, at: datetime) -> Denied | None:
        self._forget(at)
        if signature in self._seen:
            return Denied(DenialCode.REPLAYED, "this very proof was used before", 30)
        self._seen[signature] = at
        asked = self._rates.setdefault(key, deque(maxlen=self._policy.asks_per_minute + 1))
        asked.append(at)
        self._rates.move_to_end(key)
        recent = sum(1 for when in asked if at - when < timedelta(minutes=1))
        if recent > self._policy.asks_per_minute:
            return Denied(
                DenialCode.RATE_LIMITED,
                f"more than {self._policy.asks_per_minute} requests a minute by one identity",
                30,
            )
        return None

    def _forget(self, at: datetime) -> None:
        """A stale signature is refused for its date, so memory need not outlast the skew."""
        kept = 2 * self._policy.skew
        while self._seen and (
            len(self._seen) > _REMEMBERED or at - next(iter(self._seen.values())) > kept
        ):
            self._seen.popitem(last=False)
        while len(self._rates) > _REMEMBERED:
            self._rates.popitem(last=False)
