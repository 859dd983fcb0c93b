"""What the broker's two users may do: all they need, and nothing else."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from leader.edges.broker.connection import connected
from leader.edges.broker.redis_server import write_files
from runtime import clock
from wire import keys
from wire.messages import Heartbeat

REQUESTS = keys.requests("contract")
REPLY = keys.reply("contract", "0" * 32)
REPORTS = keys.reports("contract")
HEARTBEAT = keys.heartbeat("contract")

FORBIDDEN_TO_AGENTS = (
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CONFIG SET maxmemory 1",
    "ACL LIST",
    "ACL GETUSER leader",
    "ACL SETUSER agent allcommands",
    "ACL WHOAMI",
    "CLIENT LIST",
    "CLIENT KILL USER leader",
    "CLIENT PAUSE 1000",
    "CLIENT TRACKING on",
    "CLIENT NO-EVICT on",
    "MONITOR",
    "SLOWLOG GET",
    "DEBUG SLEEP 0",
    "SHUTDOWN NOSAVE",
    "SAVE",
    "BGSAVE",
    "REPLICAOF NO ONE",
    "SYNC",
    "PSYNC ? -1",
    "MODULE LIST",
    "INFO",
    "LATENCY LATEST",
    "COMMAND COUNT",
    "EVAL return(1) 0",
    "FUNCTION LIST",
    "SCRIPT FLUSH",
    "SUBSCRIBE news",
    "PSUBSCRIBE *",
    "PUBLISH news x",
    "MULTI",
    "SELECT 0",
    "SWAPDB 0 0",
    f"XADD {REQUESTS} * p x",
    f"XADD {REQUESTS} MAXLEN 0 * p x",
    f"XREAD STREAMS {REQUESTS} 0",
    f"XRANGE {REQUESTS} - +",
    f"XLEN {REQUESTS}",
    f"XTRIM {REQUESTS} MAXLEN 0",
    f"LRANGE {REQUESTS} 0 -1",
    f"LINDEX {REQUESTS} 0",
    f"LLEN {REQUESTS}",
    f"LPUSH {REQUESTS} x",
    f"LSET {REQUESTS} 0 x",
    f"LREM {REQUESTS} 0 x",
    f"LTRIM {REQUESTS} 1 0",
    f"LPOP {REQUESTS}",
    f"RPOP {REQUESTS}",
    f"BLPOP {REQUESTS} 0.01",
    f"BLPOP {REPLY} {REQUESTS} 0.01",
    f"BRPOP {REQUESTS} 0.01",
    f"LMOVE {REQUESTS} {REPLY} LEFT LEFT",
    f"BLMOVE {REQUESTS} {REPLY} LEFT LEFT 0.01",
    f"RPOPLPUSH {REQUESTS} {REPLY}",
    f"DEL {REQUESTS}",
    f"UNLINK {REQUESTS}",
    f"DUMP {REQUESTS}",
    f"EXPIRE {REQUESTS} 1",
    f"RENAME {REQUESTS} {REPLY}",
    f"COPY {REQUESTS} {REPLY}",
    f"SORT {REQUESTS} BY nosort ALPHA",
    f"EXISTS {REQUESTS}",
    f"TYPE {REQUESTS}",
    f"TOUCH {REQUESTS}",
    f"OBJECT ENCODING {REQUESTS}",
    f"LRANGE {REPORTS} 0 -1",
    f"LLEN {REPORTS}",
    f"LPOP {REPORTS}",
    f"LPUSH {REPORTS} x",
    f"BLPOP {REPORTS} 0.01",
    f"LTRIM {REPORTS} 1 0",
    f"DEL {REPORTS}",
    f"GET {REPORTS}",
    f"RPUSH {keys.reports('other')} x",
    f"RPUSH {REPLY} forged",
    f"LPUSH {REPLY} forged",
    f"SET {REPLY} forged",
    f"DEL {REPLY}",
    f"EXPIRE {REPLY} 0",
    "RPUSH other x",
    "BLPOP other 0.01",
    f"BLPOP {HEARTBEAT} 0.01",
    f"RPUSH {HEARTBEAT} x",
    f"SET {HEARTBEAT} forged",
    f"DEL {HEARTBEAT}",
    f"APPEND {HEARTBEAT} x",
    f"GETDEL {HEARTBEAT}",
    f"GET {REQUESTS}",
    f"GET {REPLY}",
    "GET other",
    f"RPUSH {keys.requests('other')} x",
    f"GET {keys.heartbeat('other')}",
)

FORBIDDEN_TO_THE_LEADER = (
    "KEYS *",
    "FLUSHALL",
    "CONFIG GET *",
    "ACL LIST",
    "CLIENT PAUSE 1000",
    "CLIENT SETNAME x",
    "EVAL return(1) 0",
    "SHUTDOWN NOSAVE",
    "INFO",
    f"RPUSH {REQUESTS} x",
    f"RPUSH {REPORTS} x",
    f"LRANGE {REPORTS} 0 -1",
    f"DEL {REPORTS}",
    f"LPOP {REPLY}",
    f"LRANGE {REQUESTS} 0 -1",
    f"DEL {REQUESTS}",
    f"BLPOP {REPLY} 0.01",
    f"LRANGE {REPLY} 0 -1",
    f"GET {HEARTBEAT}",
    "SET other x",
    "GET other",
)

Login = Callable[..., Redis]


def client(standing: Any, user: str | None, password: str | None, **more: Any) -> Redis:
    return Redis(
        host="127.0.0.1",
        port=standing.port,
        username=user,
        password=password,
        ssl=more.pop("ssl", True),
        retry=Retry(NoBackoff(), 0),
        driver_info=None,
        socket_timeout=5,
        **more,
    )


@pytest.fixture
async def agent(standing: Any) -> AsyncIterator[Redis]:
    opened = client(
        standing,
        "agent",
        standing.secrets.agent_password.get_secret_value(),
        ssl_ca_data=standing.secrets.ca,
    )
    yield opened
    await opened.aclose()


@pytest.fixture
async def leader(standing: Any) -> AsyncIterator[Redis]:
    opened = client(
        standing,
        "leader",
        standing.secrets.leader_password.get_secret_value(),
        ssl_ca_data=standing.secrets.ca,
    )
    yield opened
    await opened.aclose()


@pytest.fixture
async def stranger(standing: Any) -> AsyncIterator[Redis]:
    opened = client(standing, None, None, ssl_ca_data=standing.secrets.ca)
    yield opened
    await opened.aclose()


async def test_an_agent_can_ask_wait_for_its_reply_and_read_the_heartbeat(
    standing: Any, agent: Redis
) -> None:
    beat = Heartbeat(cluster="contract", leader="i-0123456789abcdef0", at=clock.now())
    async with connected(standing.secrets, cluster="contract", port=standing.port) as broker:
        await broker.beat(beat)
        assert await agent.ping()
        assert await agent.get(HEARTBEAT)
        await agent.rpush(REQUESTS, b"request")
        assert await broker.next_request() == b"request"
        await agent.rpush(REPORTS, b"report")
        assert await broker.next_request() == b"report"
        await broker.answer("0" * 32, b"reply")
        assert await agent.blpop([REPLY], timeout=2) == (REPLY.encode(), b"reply")


@pytest.mark.parametrize("command", FORBIDDEN_TO_AGENTS)
async def test_an_agent_may_not(command: str, agent: Redis) -> None:
    with pytest.raises((NoPermissionError, ResponseError)) as refused:
        await agent.execute_command(*command.split())
    text = str(refused.value)
    assert isinstance(refused.value, NoPermissionError) or "DEBUG command not allowed" in text, text


@pytest.mark.parametrize("command", FORBIDDEN_TO_THE_LEADER)
async def test_the_leader_may_not(command: str, leader: Redis) -> None:
    with pytest.raises(NoPermissionError):
        await leader.execute_command(*command.split())


@pytest.mark.parametrize("command", ["PING", "INFO", "KEYS *", f"RPUSH {REQUESTS} x", "ACL WHOAMI"])
async def test_who_is_not_logged_in_gets_nothing(command: str, stranger: Redis) -> None:
    with pytest.raises(AuthenticationError):
        await stranger.execute_command(*command.split())


@pytest.mark.parametrize("user", ["default", "leader", "agent", "nobody"])
async def test_a_guessed_password_gets_nothing(user: str, standing: Any) -> None:
    opened = client(standing, user, "guessed", ssl_ca_data=standing.secrets.ca)
    with pytest.raises(AuthenticationError):
        await opened.ping()
    await opened.aclose()


async def test_one_users_password_is_not_the_others(standing: Any) -> None:
    password = standing.secrets.agent_password.get_secret_value()
    opened = client(standing, "leader", password, ssl_ca_data=standing.secrets.ca)
    with pytest.raises(AuthenticationError):
        await opened.ping()
    await opened.aclose()


async def test_plain_tcp_is_refused(standing: Any) -> None:
    password = standing.secrets.agent_password.get_secret_value()
    opened = client(standing, "agent", password, ssl=False)
    with pytest.raises((RedisError, OSError)):
        await opened.ping()
    await opened.aclose()


async def handshake(standing: Any, context: ssl.SSLContext) -> str | None:
    _, writer = await asyncio.open_connection(
        "127.0.0.1", standing.port, ssl=context, server_hostname="127.0.0.1"
    )
    version = writer.get_extra_info("ssl_object").version()
    writer.close()
    await writer.wait_closed()
    return str(version)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_tls_1_1_is_refused_and_1_2_is_not(standing: Any) -> None:
    context = ssl.create_default_context(cadata=standing.secrets.ca)
    # OpenSSL's own default forbids 1.1 to the client too; here it is the server's no we want.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        await handshake(standing, context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert await handshake(standing, context) == "TLSv1.2"


async def test_a_client_that_believes_another_ca_does_not_send_its_password(
    standing: Any, another_cluster: Any
) -> None:
    context = ssl.create_default_context(cadata=another_cluster.secrets.ca)
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(standing, context)


def test_the_files_of_redis_are_its_own_and_nobody_elses(ground: Any, cluster: Any) -> None:
    directory = ground / "laid-down"
    write_files(
        directory,
        cluster="contract",
        secrets=cluster.secrets,
        port=cluster.port,
        seen_as="/broker",
        uid=999,
    )
    found = directory.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (999, 999, 0o700)
    files = {file.name: file.stat() for file in directory.iterdir()}
    assert files.keys() == {"redis.conf", "users.acl", "ca.crt", "broker.crt", "broker.key"}
    for name, stat in files.items():
        assert (stat.st_uid, stat.st_gid, stat.st_mode & 0o777) == (999, 999, 0o400), name


def test_no_password_stands_in_the_files_of_redis(ground: Any, cluster: Any) -> None:
    directory = ground / "no-passwords"
    write_files(
        directory,
        cluster="contract",
        secrets=cluster.secrets,
        port=cluster.port,
        seen_as="/broker",
        uid=999,
    )
    text = "".join(file.read_text() for file in directory.iterdir())
    for secret in (cluster.secrets.agent_password, cluster.secrets.leader_password):
        assert secret.get_secret_value() not in text
    assert cluster.secrets.leader_key.get_secret_value() not in text
