"""Adds EC2, SSM and IAM behaviour that the product relies on and moto lacks.

Rule: remove a patch as soon as moto behaves like AWS. moto 5.2.5 has these gaps:

- RunInstances attaches the instance profile to only the first of several instances, and ignores the
  launch template's instance profile, market options and metadata options.
- RunInstances without a subnet picks an address outside all subnets, instead of one in the zone's
  default subnet.
- AssumeRole fails with an internal error if the role trusts only services.
- moto checks every SSM call against the resource `*`, so a policy for a path never matches.
- StartInstances does not change LaunchTime; on EC2, LaunchTime is the time of the latest start.
- GetConsoleOutput returns a fixed example.
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
"""Returns the console output of an instance's machine, given the instance id."""


def close(ec2: Any, console: Console) -> None:
    """Make moto's EC2, SSM and IAM behave like AWS.

    It is safe to call this function more than once.
    """
    if not hasattr(ec2, "lab_closed"):
        ec2.run_instances = _like_ec2(ec2, ec2.run_instances)
        ec2.start_instances = _begin_anew(ec2.start_instances)
        ec2.lab_closed = True
    setattr(General, "get_console_output", _show(console))  # noqa: B010 - mypy rejects an assignment
    setattr(SimpleSystemManagerResponse, _JUDGE, _judge_each)
    setattr(IAMPolicyStatement, "_check_principal", _is_trusted)  # noqa: B010 - it is private


def _like_ec2(ec2: Any, run_instances: Callable[..., Any]) -> Callable[..., Any]:
    def run(
        image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any
    ) -> Any:
        template = {}
        if options.get("launch_template"):
            # The public accessor needs a request object.
            template = ec2._get_template_from_args(options["launch_template"]).data  # noqa: SLF001
        profile = template.get("IamInstanceProfile") or {}
        name = options.get("iam_instance_profile_name") or profile.get("Name")
        arn = options.get("iam_instance_profile_arn") or profile.get("Arn")
        market = (template.get("InstanceMarketOptions") or {}).get("MarketType")
        options["instance_market_options"] = options.get("instance_market_options") or market
        options["metadata_options"] = {
            **(template.get("MetadataOptions") or {}),
            **(options.get("metadata_options") or {}),
        }
        if not options.get("subnet_id") and not options.get("nics"):
            options["subnet_id"] = _default_subnet(ec2, options.get("placement"))
        reservation = run_instances(image_id, count, user_data, security_group_names, **options)
        # After this function returns, moto gives the request's profile to the first instance.
        in_request = bool(
            options.get("iam_instance_profile_name") or options.get("iam_instance_profile_arn")
        )
        if name or arn:
            for instance in reservation.instances[1:] if in_request else reservation.instances:
                ec2.associate_iam_instance_profile(
                    instance_id=instance.id,
                    iam_instance_profile_name=name,
                    iam_instance_profile_arn=arn,
                )
        return reservation

    return run


def _begin_anew(start_instances: Callable[..., Any]) -> Callable[..., Any]:
    def start(instance_ids: list[str]) -> Any:
        started = start_instances(instance_ids)
        for instance, before in started:
            if before.name != "running":
                instance.launch_time = utcnow()
        return started

    return start


def _show(console: Console) -> Callable[[Any], ActionResult]:
    def get_console_output(self: Any) -> ActionResult:
        # This call raises EC2's error if there is no such instance.
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        output = Base64EncodedString.from_encoded_bytes(base64.b64encode(console(instance.id)))
        return ActionResult({"InstanceId": instance.id, "Timestamp": utcnow(), "Output": output})

    return get_console_output


def _default_subnet(ec2: Any, zone: str | None) -> str | None:
    defaults = ec2.get_default_subnets()
    chosen = defaults.get(zone) if zone else next(iter(defaults.values()), None)
    return str(chosen.id) if chosen else None


def _judge_each(self: Any, _resource: str = "*") -> None:
    """Authorise an API call for every SSM parameter that it names, as AWS does."""
    body = json.loads(self.body or "{}")
    named = [body.get("Name"), body.get("Path"), *body.get("Names", ())]
    paths = [str(path).split(":", 1)[0].strip("/") for path in named if path]
    whole = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/"
    for resource in [whole + path for path in paths] or ["*"]:
        getattr(super(SimpleSystemManagerResponse, self), _JUDGE)(resource)


def _is_trusted(self: Any, principal: str) -> bool:
    """Return whether a trust policy names this user or role."""
    named = self._statement.get("Principal")
    trusted = named if isinstance(named, str) else (named or {}).get("AWS", [])
    return trusted == "*" or principal in ([trusted] if isinstance(trusted, str) else trusted)
