"""The cluster's secrets, as `spotswarm init` writes them and the leader reads them.

Each is a file in a private directory, or an SSM SecureString, with one of the names below. Rule:
secrets that only the operator needs (the CA's private key) are stored separately, below
`operator/`, so that a manager's role need not be able to read them.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage, Secret

LEADER: Final = "leader"
OPERATOR: Final = "operator"
"""The directory, or the part of the SSM path, for each reader."""

CA_KEY: Final = "ca.key"


class ClusterSecrets(BaseModel):
    """What the active leader needs to run the broker and to answer agents."""

    model_config = ConfigDict(frozen=True)

    ca: str
    """PEM of the CA's certificate; public, and here so that there is one source for everything."""
    certificate: str
    """PEM of the broker's certificate."""
    certificate_key: Secret
    leader_key: Secret
    """X25519 private key in base64."""
    agent_password: Secret
    leader_password: Secret
    previous_leader_key: Secret | None = None
    """The previous key, for as long as some agents know only that one."""

    def to_files(self) -> dict[str, str]:
        """The texts by file or parameter name."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {_FILES[name]: value for name, value in values.items()}

    @classmethod
    def from_files(cls, files: dict[str, str]) -> "ClusterSecrets":
        """The inverse of `to_files`.

        Raises:
            MalformedMessage: names the missing files.
        """
        values = {field: files[name] for field, name in _FILES.items() if name in files}
        optional = {"previous_leader_key"}
        missing = [
            name for field, name in _FILES.items() if field not in values | dict.fromkeys(optional)
        ]
        if missing:
            raise MalformedMessage(f"the cluster's secrets lack {', '.join(missing)}")
        return cls.model_validate(values)


_FILES: Final = {
    "ca": "ca.crt",
    "certificate": "broker.crt",
    "certificate_key": "broker.key",
    "leader_key": "leader.key",
    "agent_password": "agent.password",
    "leader_password": "leader.password",
    "previous_leader_key": "previous-leader.key",
}
