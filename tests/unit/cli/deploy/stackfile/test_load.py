"""What a stack file says is read, or refused with the file, the service and the key."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from randomness import at_most

from cli.deploy.stackfile.contents import LARGEST_BYTES
from cli.deploy.stackfile.errors import StackError, VariableError
from cli.deploy.stackfile.stack import Stack, load

FILES = {
    "key.bin": bytes(range(256)),
    "page.txt": b"a page",
    "empty": b"",
    "large": b"x" * LARGEST_BYTES,
}
HERE = Path("/stacks")


def read(path: Path) -> bytes:
    try:
        return FILES[path.relative_to(HERE).as_posix()]
    except (KeyError, ValueError):
        raise FileNotFoundError(2, "No such file or directory") from None


def read_stack(text: str, *overlays: str, name: str = "services", **values: str) -> Stack:
    above = [(f"above-{number}.yml", layer) for number, layer in enumerate(overlays)]
    return load(name, text, values, directory=HERE, read=read, overlays=above)


def stack(top: str = "", **keys: Any) -> str:
    return f"{top}\n{yaml.safe_dump({'services': {'web': {'image': 'web:1'} | keys}})}"


def web(text: str, **values: str) -> dict[str, Any]:
    service: dict[str, Any] = read_stack(text, **values).document["services"]["web"]
    return service


def error_of(text: str, *overlays: str, **values: str) -> str:
    with pytest.raises(StackError) as caught:
        read_stack(text, *overlays, **values)
    assert not isinstance(caught.value, VariableError)
    assert all(line.startswith("services.yml") for line in str(caught.value).splitlines())
    return str(caught.value)


def test_a_volume_in_short_syntax_keeps_its_drivers_options() -> None:
    options = {"driver": "local", "driver_opts": {"type": "tmpfs"}}
    text = yaml.safe_dump({"volumes": {"data": options, "unused": {}}})
    read_data = read_stack(stack(text, volumes=["data:/data:ro", "/anonymous", "./here:/there"]))
    assert read_data.document["volumes"] == {"data": options}


def test_a_group_of_cluster_volumes_is_not_defined_in_the_file() -> None:
    group = {"type": "cluster", "source": "group:data", "target": "/data"}
    assert web(stack(volumes=[group]))["volumes"] == [group]
    single = group | {"source": "data"}
    assert "services.web.volumes: data is not defined" in error_of(stack(volumes=[single]))


def test_the_default_network_is_used_by_services_that_name_no_network() -> None:
    top = "networks: {default: {external: true, name: proxy}, other: {external: true}}"
    assert read_stack(stack(top)).networks == ["proxy"]
    assert read_stack(stack(top, networks=[])).networks == ["proxy"]
    assert read_stack(stack(top, networks=["other"])).networks == ["other"]
    assert read_stack(stack(top, networks={"default": None})).networks == ["proxy"]
    old = "networks: {default: {external: {name: proxy}}}"
    assert read_stack(stack(old)).networks == ["proxy"]


def test_the_text_of_a_config_is_a_file_for_docker_named_by_its_digest() -> None:
    top = "configs: {page: {content: 'hello from ${DOMAIN}, $$5'}}"
    deployed = read_stack(stack(top, configs=["page"]), DOMAIN="x.example")
    [(name, content)] = deployed.inline_configs.items()
    assert content == b"hello from x.example, $5"
    assert name.startswith("services_page_")
    assert deployed.configs == [name]
    [text] = deployed.texts({name: Path("/files/0")})
    assert yaml.safe_load(text)["configs"]["page"] == {"file": "/files/0", "name": name}
    other = read_stack(stack(top, configs=["page"]), DOMAIN="y.example")
    assert other.configs != deployed.configs


def test_numbers_and_truth_values_of_variables_are_cast_where_docker_casts() -> None:
    service = web(
        stack(
            read_only="${YES}",
            healthcheck={"retries": "$TRIES", "disable": "${NO:-off}"},
            ports=[{"target": "${TRIES}", "published": "0${TRIES}"}],
            ulimits={"nofile": {"soft": "${TRIES}", "hard": "${TRIES}"}, "nproc": "${TRIES}"},
            environment={"N": "${TRIES}"},
            deploy={
                "replicas": "${TRIES}",
                "update_config": {"max_failure_ratio": "${RATIO}"},
                "restart_policy": {"max_attempts": "${TRIES}"},
                "placement": {"max_replicas_per_node": "${EACH:-1}"},
            },
        ),
        YES="Yes",
        TRIES="3",
        RATIO=".5",
    )
    assert service["read_only"] is True
    assert service["healthcheck"] == {"retries": 3, "disable": False}
    assert service["ports"] == [{"target": 3, "published": 3}]
    assert service["ulimits"] == {"nofile": {"soft": 3, "hard": 3}, "nproc": 3}
    assert service["environment"] == {"N": "3"}
    assert service["deploy"] == {
        "replicas": 3,
        "update_config": {"max_failure_ratio": 0.5},
        "restart_policy": {"max_attempts": 3},
        "placement": {"max_replicas_per_node": 1},
    }


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"tty": "${WORD}"}, "services.web.tty: the variable's value must be true or false"),
        ({"deploy": {"replicas": "${WORD}"}}, "services.web.deploy.replicas: the variable's value"),
        ({"command": "cost $5"}, "services.web.command: a $ begins no variable; write $$"),
        ({"command": ["${}"]}, "services.web.command.[]: a $ begins no variable; write $$"),
        ({"hostname": "$WORD-x"}, "read $WORD- differently; write ${WORD}"),
        ({"user": "${BYTES}"}, "services.web.user: the value of BYTES is no UTF-8 text"),
        ({"volumes": ["data:/x"]}, "services.web.volumes: data is not defined"),
        ({"networks": {"no": None}}, "services.web.networks: no is not defined"),
        ({"secrets": [{"source": "no"}]}, "services.web.secrets: no is not defined"),
        ({"credential_spec": {"config": "no"}}, "services.web.configs: no is not defined"),
        ({"mem_limit": "5m"}, "services.web.mem_limit: docker stack does not accept this key; use"),
        ({"image": None}, "service web has no image; docker stack cannot build one"),
        ({"env_file": "no.env"}, "web.env_file: could not read /stacks/no.env: No such file"),
        ({"env_file": ["page.txt", "no"]}, "web.env_file: could not read /stacks/no: No such file"),
        ({"x-spotswarm": {"need": []}}, "service web: x-spotswarm has no key need; its keys are"),
        ({"x-spotswarm": {"needs": "a"}}, "x-spotswarm.needs must be a list of services"),
        ({"x-spotswarm": 5}, "service web: x-spotswarm must be a table"),
    ],
)
def test_what_docker_refuses_late_or_reads_as_something_else_is_refused(
    keys: dict[str, Any], error: str
) -> None:
    assert error in error_of(stack(**keys), WORD="maybe", BYTES="\udcff")


@pytest.mark.parametrize(
    ("top", "error"),
    [
        ("secrets: {a: {file: no}}", "secret a: could not read /stacks/no: No such file"),
        ("secrets: {a: {file: empty}}", "secret a: /stacks/empty is empty"),
        ("secrets: {a: {file: large}}", "secret a: /stacks/large has 512,000 bytes; Swarm stores"),
        ("secrets: {a: }", "secret a says nothing; write external: true, or file: PATH"),
        ("configs: {a: {file: large}}", "config a: /stacks/large has 512,000 bytes"),
        ("configs: {a: {content: ''}}", "config a: content is empty"),
        ("configs: {a: {content: 5}}", "config a: content must be text; put it in quotes"),
        ("configs: {a: {content: x, file: y}}", "config a has both file and content"),
        ("configs: {a: {}}", "config a says nothing; write external: true, or file: PATH or"),
        ("secrets: {a: {external: true, name: a/b}}", "secret a: Swarm refuses the name a/b"),
    ],
)
def test_a_config_or_secret_that_cannot_be_made_is_named(top: str, error: str) -> None:
    kind = top.partition(":")[0]
    assert error in error_of(stack(top, **{kind: ["a"]}))


def test_a_part_that_no_service_uses_needs_no_file_and_no_variable() -> None:
    top = "secrets: {a: {file: no}}\nconfigs: {b: {file: '${UNSET}'}}"
    assert read_stack(stack(top)).document["secrets"] == {}


def test_secrets_from_files_are_dockers_and_need_no_value_of_ours() -> None:
    top = "secrets: {a: {file: key.bin}, b: {external: true, name: c, x-spotswarm: {generate: 8}}}"
    deployed = read_stack(stack(top, secrets=["a", "b"]))
    assert [(secret.name, secret.random_bytes) for secret in deployed.secrets] == [("c", 8)]
    assert deployed.document["secrets"]["a"] == {"file": "/stacks/key.bin"}
    deployed.without_secrets({"c"})
    assert deployed.document["services"]["web"]["secrets"] == ["a"]
    assert list(deployed.document["secrets"]) == ["a"]


def test_a_long_config_name_is_cut_and_stays_unique() -> None:
    keys = [f"{'settings-' * 8}{number}" for number in range(2)]
    top = yaml.safe_dump({"configs": {key: {"file": "page.txt"} for key in keys}})
    names = read_stack(stack(top, configs=keys)).configs
    assert [len(name) for name in names] == [64, 64]
    assert len(set(names)) == 2


def test_a_config_with_a_name_of_its_own_keeps_it() -> None:
    top = "configs: {page: {file: page.txt, name: 'page-${VERSION}'}}"
    assert read_stack(stack(top, configs=["page"]), VERSION="7").configs == ["page-7"]


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("w" * 60, "has 69 characters, and Swarm allows 63"),
        ("web.1", "Swarm refuses the name services_web.1"),
    ],
)
def test_a_service_name_that_swarm_refuses_is_refused(key: str, error: str) -> None:
    assert error in error_of(yaml.safe_dump({"services": {key: {"image": "x"}}}))


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: x, deploy: , environment: , networks: , labels: , ports: }}",
        "services: {web: {image: x, deploy: {placement: , labels: , resources: {limits: }}}}",
        "services: {web: {image: x, healthcheck: {test: }, logging: , secrets: , configs: }}",
        "services: {web: {image: x}}\nnetworks:\nvolumes:\nconfigs:\nsecrets:\nx-spotswarm:",
    ],
)
def test_sections_whose_lines_are_all_commented_out_say_nothing(text: str) -> None:
    document = read_stack(text).document
    assert set(document) == {"services"}
    assert None not in document["services"]["web"].values()


def test_a_null_stays_where_it_has_a_meaning() -> None:
    top = "networks: {back: }\nvolumes: {data: }"
    text = stack(
        top, environment={"A": None, "B": None}, networks={"back": None}, volumes=["data:/data"]
    )
    deployed = read_stack(text, B="from .env").document
    assert deployed["services"]["web"]["environment"] == {"A": None, "B": "from .env"}
    assert deployed["networks"] == {"back": None}
    assert deployed["volumes"] == {"data": None}
    assert web(stack(environment=["A", "B", "C=1"]), B="2")["environment"] == ["A", "B=2", "C=1"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("services:\n  web:\n", "service web says nothing; it needs an image"),
        ("services:\n", "services.yml has no services"),
        ("services: [web]", "services must be a table of services"),
        ("services: {web: x}", "service web must be a table"),
        (
            "x-spotswarm: {is_chosen: true}\nservices: {web: {image: x}}",
            "the file: x-spotswarm has",
        ),
    ],
)
def test_a_file_without_a_service_is_refused(text: str, error: str) -> None:
    assert error in error_of(text)


def test_only_what_is_missing_in_env_is_the_variables_fault() -> None:
    with pytest.raises(VariableError, match="A is not set: the letter"):
        read_stack(stack(user="${A:?the letter}"))
    with pytest.raises(VariableError, match="SERVICES is no UTF-8 text"):
        read_stack(f"x-spotswarm: {{is_chosen_from: true}}\n{stack()}", SERVICES="\udcff")


def test_labels_where_nobody_reads_them_are_remarked_on() -> None:
    rule = {"traefik.enable": "true", "traefik.http.routers.web.rule": "Host(`a.example`)"}
    port = {"traefik.http.services.web.loadbalancer.server.port": "80"}
    wrong = "web: traefik.* and spotswarm.* labels under labels: are of the container; they count"
    no_port = "web: Traefik needs the label traefik.http.services.NAME.loadbalancer.server.port"
    assert read_stack(stack(deploy={"labels": rule | port})).remarks == []
    [remark, second] = read_stack(stack(labels=rule)).remarks
    assert remark.startswith(wrong)
    assert second.startswith(no_port)
    [remark] = read_stack(stack(labels=["spotswarm.rebalance=false"])).remarks
    assert remark.startswith(wrong)
    [remark] = read_stack(stack(deploy={"labels": rule})).remarks
    assert remark.startswith(no_port)
    internal = rule | {"traefik.http.routers.web.service": "api@internal"}
    assert read_stack(stack(deploy={"labels": internal})).remarks == []
    [remark] = read_stack(stack(restart="always", build=".")).remarks
    assert remark == "web: docker stack deploy ignores build, restart"
    assert read_stack(stack(labels=rule)).report()["remarks"]


def test_docker_gets_every_file_and_we_read_them_as_merged() -> None:
    first = stack(
        "networks: {front: }",
        networks=["front"],
        deploy={"placement": {"constraints": ["node.role == worker"]}},
    )
    second = yaml.safe_dump(
        {
            "services": {
                "web": {"networks": {"back": None}, "secrets": ["key"]},
                "second": {"image": "second:${VERSION}", "configs": ["page"]},
            },
            "networks": {"back": {"external": True}},
            "secrets": {"key": {"external": True}},
            "configs": {"page": {"content": "x"}},
        }
    )
    deployed = read_stack(first, second, VERSION="7")
    assert deployed.services == ["web", "second"]
    assert deployed.networks == ["back"]
    assert [secret.name for secret in deployed.secrets] == ["key"]
    [name] = deployed.inline_configs
    texts = [yaml.safe_load(text) for text in deployed.texts({name: Path("/0")})]
    assert texts[0]["services"]["web"]["networks"] == ["front"]
    assert texts[1]["services"]["second"]["image"] == "second:7"
    assert texts[1]["configs"]["page"]["file"] == "/0"
    assert "above-0.yml: services.web.user: a $ begins" in error_of_layer(first, "${}")


def error_of_layer(first: str, user: str) -> str:
    with pytest.raises(StackError) as caught:
        read_stack(first, stack(user=user))
    return str(caught.value)


def test_of_alternatives_the_other_is_replaced_and_what_is_not_selected_is_not() -> None:
    services = {
        name: {
            "image": "x",
            "x-spotswarm": {"provides": "gateway", "when": {"GATEWAY": [name]}},
        }
        for name in ("simulator", "real")
    } | {"web": {"image": "x"}, "spare": {"image": "x"}}
    text = yaml.safe_dump({"x-spotswarm": {"is_chosen_from": True}, "services": services})
    deployed = read_stack(text, GATEWAY="real", SERVICES="web,gateway")
    assert set(deployed.services) == {"real", "web"}
    assert deployed.replaced == {"simulator"}
    assert deployed.rivals == {"real"}
    assert deployed.unselected == {"simulator", "spare"}


KEYS = st.sampled_from(
    [
        *("services", "web", "image", "environment", "networks", "default", "volumes", "configs"),
        *("secrets", "deploy", "placement", "constraints", "labels", "external", "name", "file"),
        *("content", "x-spotswarm", "needs", "when", "provides", "env_file", "healthcheck"),
        *("source", "credential_spec", "config", "ports", "mode", "<<", "generate", "command"),
    ]
)
VALUES = (
    KEYS
    | st.none()
    | st.booleans()
    | st.integers(-2, 70)
    | st.sampled_from(["", "$A", "${A:-}", "${B?b}", "a:/b", "$", "page.txt", "large", "no"])
)
PARTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@at_most(50)
@given(
    st.dictionaries(st.sampled_from(["image", "x-spotswarm"]), PARTS, max_size=2),
    st.dictionaries(KEYS, PARTS, max_size=4),
    st.dictionaries(KEYS, PARTS, max_size=3),
)
@example({}, {"deploy": {"placement": {"constraints": None}}}, {"networks": None})
@example({"image": "x"}, {"configs": [{"source": "web"}]}, {"configs": {"web": {"content": "$A"}}})
@example({"image": "x"}, {"environment": {"a": None}}, {"x-spotswarm": {"needs": None}})
def test_any_structure_is_a_stack_or_an_error_that_says_where(
    first: dict[str, Any], service: dict[str, Any], top: dict[str, Any]
) -> None:
    text = yaml.safe_dump({"services": {"web": first | service}} | top)
    for overlays in ((), (text,)):
        try:
            deployed = read_stack(text, *overlays, A="a")
        except StackError as error:
            problem = str(error)
            assert problem.strip()
        else:
            paths = dict.fromkeys(deployed.inline_configs, Path("/0"))
            assert all(yaml.safe_load(text)["services"] for text in deployed.texts(paths))
            assert isinstance(deployed.configs, list)
            deployed.without_secrets({secret.name for secret in deployed.secrets})
            assert deployed.text()
