from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from cli.founding.secrets import create, user_data_text
from wire.cluster_secrets import ClusterSecrets
from wire.messages import MalformedMessage

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)


def new_cluster(**changes):
    fields = {
        "cluster": "demo",
        "names": ["leader.example.org"],
        "addresses": ["198.51.100.7"],
        "port": 6380,
        "days": 825,
        "at": NOW,
    }
    return create(**(fields | changes))


@pytest.mark.parametrize(
    "subject",
    [
        x509.DNSName("leader.example.org"),
        x509.DNSName("localhost"),
    ],
)
def test_the_brokers_certificate_satisfies_a_strict_verifier(subject):
    secrets = new_cluster().leader
    ca = x509.load_pem_x509_certificate(secrets.ca.encode())
    leaf = x509.load_pem_x509_certificate(secrets.certificate.encode())

    verifier = PolicyBuilder().store(Store([ca])).time(NOW).build_server_verifier(subject)

    assert verifier.verify(leaf, []) == [leaf, ca]


def test_the_certificate_names_every_address_and_loopback():
    leaf = x509.load_pem_x509_certificate(new_cluster().leader.certificate.encode())

    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"198.51.100.7", "127.0.0.1"}


def test_the_url_prefers_a_name_which_survives_a_change_of_address():
    assert new_cluster().agent["broker"] == "rediss://leader.example.org:6380"
    assert new_cluster(names=[]).agent["broker"] == "rediss://198.51.100.7:6380"


def test_no_two_clusters_share_a_secret():
    first, second = new_cluster().leader.to_files(), new_cluster().leader.to_files()

    assert not set(first.values()) & set(second.values())


def test_secrets_survive_their_files_and_name_what_is_missing():
    secrets = new_cluster().leader
    files = secrets.to_files()

    assert ClusterSecrets.from_files(files) == secrets
    del files["leader.key"]
    with pytest.raises(MalformedMessage, match=r"leader\.key"):
        ClusterSecrets.from_files(files)


def test_user_data_has_no_private_key():
    cluster = new_cluster()
    text = user_data_text(cluster.agent)

    for name, value in cluster.leader.to_files().items():
        if name not in {"ca.crt", "agent.password"}:
            assert value.strip() not in text, name
    assert cluster.ca_key not in text


def test_an_invalid_cluster_name_is_refused():
    with pytest.raises(MalformedMessage, match="cluster"):
        user_data_text(new_cluster().agent | {"cluster": "Bad Name"})
