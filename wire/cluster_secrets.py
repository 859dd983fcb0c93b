"""The cluster's secrets as `spotswarm init` lays them down and the leader takes them up.

Each is one file of a 0600 directory or one SSM SecureString, under the names below. Rule:
what the operator alone needs (the CA's private key) is apart, below `operator/`, so that a
manager's role can be kept from it.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage, Secret

LEADER: Final = "leader"
OPERATOR: Final = "operator"
"""Folder, or part of the SSM path, for each reader."""

CA_KEY: Final = "ca.key"


class ClusterSecrets(BaseModel):
    """What the active leader needs to run the broker and answer agents."""

    model_config = ConfigDict(frozen=True)

    ca: str
    """PEM of the CA's certificate: public, kept here so that all comes from one place."""
    certificate: str
    """PEM of the broker's certificate."""
    certificate_key: Secret
    leader_key: Secret
    """X25519 private key in base64."""
    agent_password: Secret
    leader_password: Secret
    previous_leader_key: Secret | None = None
    """The key before, while agents that know only it are about."""

    def to_files(self) -> dict[str, str]:
        """File or parameter name → text."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {_FILES[name]: value for name, value in values.items()}

    @classmethod
    def from_files(cls, files: dict[str, str]) -> "ClusterSecrets":
        """The inverse of `to_files`.

        Raises:
            MalformedMessage: names the missing files.
        """
        found = {field: files[name] for field, name in _FILES.items() if name in files}
        optional = {"previous_leader_key"}
        missing = [
            name for field, name in _FILES.items() if field not in found | dict.fromkeys(optional)
        ]
        if missing:
            raise MalformedMessage(f"the cluster's secrets lack {', '.join(missing)}")
        return cls.model_validate(found)


_FILES: Final = {
    "ca": "ca.crt",
    "certificate": "broker.crt",
    "certificate_key": "broker.key",
    "leader_key": "leader.key",
    "agent_password": "agent.password",
    "leader_password": "leader.password",
    "previous_leader_key": "previous-leader.key",
}
