"""Facts about an instance, read from the instance metadata service.

The agent writes these facts to `/run/spotswarm/instance.json` for the leader on the same machine.
Rule: use these facts only for this machine. The leader gets facts about other machines from EC2.
"""

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage


class InstanceFacts(BaseModel):
    """Facts about one instance, read from its metadata."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    region: str
    zone: str
    type: str
    lifecycle: str
    address: str

    @classmethod
    def read(cls, text: str) -> "InstanceFacts":
        """Parse the text of `instance.json`. Raise MalformedMessage if the text is invalid."""
        try:
            return cls.model_validate_json(text)
        except ValueError:
            raise MalformedMessage(
                "instance.json does not have the agent's format; check that versions match"
            ) from None
