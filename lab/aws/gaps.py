"""What EC2 and SSM do and moto does not, as far as the product relies on it.

Rule: each gap names what AWS does; drop it when moto does the same. Found with moto 5.2.5:

- RunInstances gives the profile to the first instance of several alone, and forgets profile,
  market and metadata options that stand in the launch template.
- RunInstances without a subnet picks an address outside of any, instead of the zone's default.
- AssumeRole of a role that trusts services alone ends in an error of the server's own.
- Every SSM call is judged against the resource `*`, so that no policy on a path ever matches.
- StartInstances leaves LaunchTime as it was; EC2's is that of the latest start.
- GetConsoleOutput answers with an example.
"""

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.responses.general import General
from moto.iam.access_control import IAMPolicyStatement
from moto.ssm.responses import SimpleSystemManagerResponse

from lab.places import ACCOUNT, REGION

_JUDGE: Final = "_authenticate_and_authorize_normal_action"


Console = Callable[[str], bytes]
"""What an instance's machine said on its console, by instance id."""


def close(ec2: Any, console: Console) -> None:
    """Close the gaps of this EC2 backend and of SSM; again is harmless."""
    if not hasattr(ec2, "lab_closed"):
        ec2.run_instances = _like_ec2(ec2, ec2.run_instances)
        ec2.start_instances = _begin_anew(ec2.start_instances)
        ec2.lab_closed = True
    setattr(General, "get_console_output", _show(console))  # noqa: B010 - mypy forbids the other
    setattr(SimpleSystemManagerResponse, _JUDGE, _judge_each)
    setattr(IAMPolicyStatement, "_check_principal", _is_trusted)  # noqa: B010 - it is private


def _like_ec2(ec2: Any, run_instances: Callable[..., Any]) -> Callable[..., Any]:
    def run(
        image_id: str, count: int, user_data: Any, security_group_names: list[str], **asked: Any
    ) -> Any:
        template = {}
        if asked.get("launch_template"):
            # Its accessor is private; the public one takes a request.
            template = ec2._get_template_from_args(asked["launch_template"]).data  # noqa: SLF001
        profile = template.get("IamInstanceProfile") or {}
        name = asked.get("iam_instance_profile_name") or profile.get("Name")
        arn = asked.get("iam_instance_profile_arn") or profile.get("Arn")
        market = (template.get("InstanceMarketOptions") or {}).get("MarketType")
        asked["instance_market_options"] = asked.get("instance_market_options") or market
        asked["metadata_options"] = {
            **(template.get("MetadataOptions") or {}),
            **(asked.get("metadata_options") or {}),
        }
        if not asked.get("subnet_id") and not asked.get("nics"):
            asked["subnet_id"] = _default_subnet(ec2, asked.get("placement"))
        made = run_instances(image_id, count, user_data, security_group_names, **asked)
        # The request's own profile is given to the first one by moto, after we return.
        in_request = bool(
            asked.get("iam_instance_profile_name") or asked.get("iam_instance_profile_arn")
        )
        if name or arn:
            for one in made.instances[1:] if in_request else made.instances:
                ec2.associate_iam_instance_profile(
                    instance_id=one.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn
                )
        return made

    return run


def _begin_anew(start_instances: Callable[..., Any]) -> Callable[..., Any]:
    def start(instance_ids: list[str]) -> Any:
        started = start_instances(instance_ids)
        for one, before in started:
            if before.name != "running":
                one.launch_time = utcnow()
        return started

    return start


def _show(console: Console) -> Callable[[Any], ActionResult]:
    def get_console_output(self: Any) -> ActionResult:
        # Raises what EC2 answers when there is no such instance.
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        said = Base64EncodedString.from_encoded_bytes(base64.b64encode(console(instance.id)))
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": said})

    return get_console_output


def _default_subnet(ec2: Any, zone: str | None) -> str | None:
    defaults = ec2.get_default_subnets()
    chosen = defaults.get(zone) if zone else next(iter(defaults.values()), None)
    return str(chosen.id) if chosen else None


def _judge_each(self: Any, _resource: str = "*") -> None:
    """Judge the call against every parameter it names, as AWS does."""
    body = json.loads(self.body or "{}")
    named = [body.get("Name"), body.get("Path"), *body.get("Names", ())]
    paths = [str(path).split(":", 1)[0].strip("/") for path in named if path]
    whole = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/"
    for resource in [whole + path for path in paths] or ["*"]:
        getattr(super(SimpleSystemManagerResponse, self), _JUDGE)(resource)


def _is_trusted(self: Any, principal: str) -> bool:
    """Whether a trust policy names this user or role; services are never who calls us."""
    named = self._statement.get("Principal")
    trusted = named if isinstance(named, str) else (named or {}).get("AWS", [])
    return trusted == "*" or principal in ([trusted] if isinstance(trusted, str) else trusted)
