"""What an instance knows about itself from its metadata service.

The agent writes it to `/run/spotswarm/instance.json` for the leader on the same machine. Rule:
it describes this machine only; what the leader knows about a requesting machine comes from EC2.
"""

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage


class InstanceFacts(BaseModel):
    """One instance, as its own metadata describes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    region: str
    zone: str
    type: str
    lifecycle: str
    address: str

    @classmethod
    def read(cls, text: str) -> "InstanceFacts":
        """Parse the file's text; raises MalformedMessage."""
        try:
            return cls.model_validate_json(text)
        except ValueError:
            raise MalformedMessage(
                "instance.json does not have the format that the agent writes"
            ) from None
