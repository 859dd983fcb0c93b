"""The cluster's secrets, which `spotswarm init` writes and the leader reads.

Each secret is a file in a private directory or an SSM SecureString. Rule: store the CA's private
key separately, under `operator/`. Only the operator needs this key, so the managers' IAM role does
not need access to it.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

from wire.messages import MalformedMessage, Secret

LEADER: Final = "leader"
OPERATOR: Final = "operator"
"""The directories, or parts of the SSM path, for the leader's and the operator's secrets."""

CA_KEY: Final = "ca.key"


class ClusterSecrets(BaseModel):
    """The secrets that the active leader needs to run the broker and to reply to agents."""

    model_config = ConfigDict(frozen=True)

    ca: str
    """The CA's certificate in PEM format. The certificate is public, but is stored with the
    secrets."""
    certificate: str
    """The broker's certificate in PEM format."""
    certificate_key: Secret
    leader_key: Secret
    """The leader's X25519 private key in base64."""
    agent_password: Secret
    leader_password: Secret
    previous_leader_key: Secret | None = None
    """The leader's previous private key, needed while some agents have only its public key."""

    def to_files(self) -> dict[str, str]:
        """Return the text of all secrets, keyed by file name or SSM parameter name."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {_FILES[name]: value for name, value in values.items()}

    @classmethod
    def from_files(cls, files: dict[str, str]) -> "ClusterSecrets":
        """Create the secrets from the result of `to_files`.

        Raises:
            MalformedMessage: if files are missing. The error message names them.
        """
        values = {field: files[name] for field, name in _FILES.items() if name in files}
        optional = {"previous_leader_key"}
        missing = [
            name for field, name in _FILES.items() if field not in values | dict.fromkeys(optional)
        ]
        if missing:
            raise MalformedMessage(f"missing cluster secrets: {', '.join(missing)}")
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
