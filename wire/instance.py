"""What an instance knows of itself, as the metadata service told it.

The agent leaves it in `/run/spotswarm/instance.json` for the leader on the same machine.
Rule: it says who *this* machine is, never who an asker is; that is EC2's word alone.
"""

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage


class InstanceFacts(BaseModel):
    """One instance, by its own metadata."""

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
            raise MalformedMessage("instance.json is not what the agent writes") from None
