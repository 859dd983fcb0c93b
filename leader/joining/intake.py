"""Checks the form, age, uniqueness and rate of requests before any network call.

Rule: anyone with the broker's password can flood the leader with requests, so each check must take
only microseconds and use bounded memory. Signatures are forgotten after twice the allowed clock
skew.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from leader.view.model import Denied
from wire import proof
from wire.messages import AwsProof, DenialCode, JoinRequest, is_fresh

_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class IntakePolicy:
    """The requirements that a join request must meet."""

    cluster: str
    identity: str
    regions: frozenset[str]
    skew: timedelta = timedelta(seconds=60)
    asks_per_minute: int = 20
    """The limit for each access key or, outside AWS, for each machine name."""


class Intake:
    """Screens requests, and remembers recent signatures and request rates."""

    def __init__(self, policy: IntakePolicy) -> None:
        self._policy = policy
        self._seen: OrderedDict[str, datetime] = OrderedDict()
        self._rates: OrderedDict[str, deque[datetime]] = OrderedDict()

    def screen(
        self, request: JoinRequest, at: datetime, *, steady_at: datetime | None = None
    ) -> Denied | None:
        """Return why a request is denied, or None if the sender's identity can be checked next.

        `at` is the machine's date and time, which the request's times are compared with.
        `steady_at` is the time by a clock that nobody sets, for the ages of earlier requests; by
        default, it is `at`.

        Call this method only once for each request, because a second call looks like a replay.
        """
        policy = self._policy
        if request.cluster != policy.cluster:
            return Denied(
                DenialCode.WRONG_CLUSTER,
                f"the request is for cluster {request.cluster}, but this is {policy.cluster}",
                60,
            )
        if request.identity.mode != policy.identity:
            return Denied(
                DenialCode.IDENTITY_MODE,
                f"the request uses the identity mode {request.identity.mode}, but this cluster uses"
                f" {policy.identity}",
                60,
            )
        if not is_fresh(request.issued, at, policy.skew):
            return self._stale(request.issued, at)
        if isinstance(request.identity, AwsProof):
            return self._screen_proof(request.identity, at, steady_at or at)
        name = request.identity.name
        return self._remember(f"{name} {request.nonce}", name, steady_at or at)

    def _screen_proof(self, claim: AwsProof, at: datetime, steady_at: datetime) -> Denied | None:
        parts = proof.AUTHORIZATION.fullmatch(claim.authorization.get_secret_value())
        if parts is None:
            return Denied(
                DenialCode.PROOF_FORM,
                "the authorization is not for the expected call, or lacks a required header",
                60,
            )
        if parts["region"] not in self._policy.regions:
            return Denied(
                DenialCode.PROOF_FORM,
                f"the request was signed for region {parts['region']}, but this cluster is in"
                f" {', '.join(sorted(self._policy.regions))}",
                60,
            )
        if not is_fresh(claim.date, at, self._policy.skew):
            return self._stale(claim.date, at)
        return self._remember(parts["signature"], parts["access_key"], steady_at)

    def _stale(self, signed: datetime, at: datetime) -> Denied:
        off = round((signed - at).total_seconds())
        return Denied(
            DenialCode.STALE,
            f"the request's time is {abs(off)} s {'ahead of' if off > 0 else 'behind'} the leader's"
            f" clock, and at most {self._policy.skew.seconds} s is allowed; correct the instance's"
            " clock",
            1,
        )

    def _remember(self, signature: str, key: str, at: datetime) -> Denied | None:
        self._forget(at)
        if signature in self._seen:
            return Denied(DenialCode.REPLAYED, "this proof has already been used", 30)
        self._seen[signature] = at
        requests = self._rates.setdefault(key, deque(maxlen=self._policy.asks_per_minute + 1))
        requests.append(at)
        self._rates.move_to_end(key)
        recent = sum(1 for when in requests if at - when < timedelta(minutes=1))
        if recent > self._policy.asks_per_minute:
            return Denied(
                DenialCode.RATE_LIMITED,
                f"this identity sent more than {self._policy.asks_per_minute} requests in a minute",
                30,
            )
        return None

    def _forget(self, at: datetime) -> None:
        """Forget signatures that are so old that their requests would be denied anyway."""
        lifetime = 2 * self._policy.skew
        while self._seen and (
            len(self._seen) > _REMEMBERED or at - next(iter(self._seen.values())) > lifetime
        ):
            self._seen.popitem(last=False)
        while len(self._rates) > _REMEMBERED:
            self._rates.popitem(last=False)
