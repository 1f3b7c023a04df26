"""As much of Elastic Beanstalk as the EB CLI asks, with a record of all that it sent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import yaml

from tests.ebcli import query
from tests.ebcli.query import Models, Refused

REGION = "us-east-1"
BUCKET = f"elasticbeanstalk-{REGION}-123456789012"
BRANCH = "Python 3.13 running on 64bit Amazon Linux 2023"
STACK = "64bit Amazon Linux 2023 v4.13.2 running Python 3.13"
PLATFORM = f"arn:aws:elasticbeanstalk:{REGION}::platform/{BRANCH}/4.13.2"

Parameters = dict[str, Any]


class Beanstalk:
    """Applications, versions and environments in memory; what was asked stands in `requests`, in its order.

    `stored` reads an object of the region's bucket, or None where there is none.
    """

    def __init__(self, models: Models, stored: Callable[[str], bytes | None]) -> None:
        self.models = models
        self.stored = stored
        self.requests: list[tuple[str, Parameters]] = []
        self.applications: set[str] = set()
        self.versions: dict[str, Parameters] = {}
        self.environments: dict[str, Parameters] = {}
        self.events: list[Parameters] = []

    def asked(self, action: str) -> list[Parameters]:
        """The parameters of every request for this action."""
        return [parameters for name, parameters in self.requests if name == action]

    def answer(self, form: dict[str, str]) -> str:
        """XML for a request; raises Refused."""
        operation = self.models.operation(form)
        parameters = query.parsed(operation, form)
        self.requests.append((operation.name, parameters))
        handler = getattr(self, "_" + operation.name, None)
        if handler is None:
            raise Refused("InvalidAction", f"{operation.name} is not answered here")
        return query.answered(operation, handler(parameters))

    def _ListPlatformBranches(self, _: Parameters) -> Parameters:  # noqa: N802
        branch = {"PlatformName": "Python", "BranchName": BRANCH, "LifecycleState": "Supported", "BranchOrder": 1}
        return {"PlatformBranchSummaryList": [{**branch, "SupportedTierList": ["WebServer/Standard"]}]}

    def _ListPlatformVersions(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"PlatformSummaryList": [self._platform()]}

    def _DescribePlatformVersion(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"PlatformDescription": {**self._platform(), "PlatformName": BRANCH, "Description": "Python"}}

    def _ListAvailableSolutionStacks(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"SolutionStacks": [STACK]}

    def _platform(self) -> Parameters:
        facts = {"PlatformArn": PLATFORM, "PlatformOwner": "AWSElasticBeanstalk", "PlatformStatus": "Ready"}
        facts |= {"PlatformVersion": "4.13.2", "PlatformBranchName": BRANCH, "PlatformLifecycleState": "Recommended"}
        return {**facts, "OperatingSystemName": "Amazon Linux", "PlatformBranchLifecycleState": "Supported"}

    def _DescribeApplications(self, asked: Parameters) -> Parameters:  # noqa: N802
        names = set(asked.get("ApplicationNames", self.applications)) & self.applications
        return {"Applications": [{"ApplicationName": name} for name in names]}

    def _CreateApplication(self, asked: Parameters) -> Parameters:  # noqa: N802
        self.applications.add(asked["ApplicationName"])
        return {"Application": {"ApplicationName": asked["ApplicationName"]}}

    def _CreateStorageLocation(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"S3Bucket": BUCKET}

    def _DescribeApplicationVersions(self, asked: Parameters) -> Parameters:  # noqa: N802
        labels = asked.get("VersionLabels", list(self.versions))
        return {"ApplicationVersions": [{"VersionLabel": label} for label in labels if label in self.versions]}

    def _CreateApplicationVersion(self, asked: Parameters) -> Parameters:  # noqa: N802
        self._require_application(asked)
        bundle = asked["SourceBundle"]
        if bundle["S3Bucket"] != BUCKET or self.stored(bundle["S3Key"]) is None:
            raise Refused("InvalidParameterValue", f"Unable to download {bundle}")
        self.versions[asked["VersionLabel"]] = asked
        named = {name: asked[name] for name in ("ApplicationName", "VersionLabel")}
        return {"ApplicationVersion": {**named, "Status": "UNPROCESSED"}}

    def _require_application(self, asked: Parameters) -> None:
        name = asked["ApplicationName"]
        if name not in self.applications:
            raise Refused("InvalidParameterValue", f"No Application named '{name}' found.")

    def _CreateEnvironment(self, asked: Parameters) -> Parameters:  # noqa: N802
        self._require_application(asked)
        if asked["VersionLabel"] not in self.versions:
            raise Refused("InvalidParameterValue", f"No Application Version named '{asked['VersionLabel']}' found.")
        self._require_platform(asked)
        return self._launched(asked["EnvironmentName"], asked["VersionLabel"], "Successfully launched environment: ")

    def _require_platform(self, asked: Parameters) -> None:
        template = self._template(asked) if "TemplateName" in asked else {}
        source = asked.get("TemplateSpecification", {}).get("TemplateSource", {})
        if not (
            {"PlatformArn", "SolutionStackName"} & {*asked, *source} or {"Platform", "SolutionStack"} & {*template}
        ):
            raise Refused("InvalidParameterValue", "Unable to determine base for template pack (no solution stack)")

    def _template(self, asked: Parameters) -> Parameters:
        body = self.stored(f"resources/templates/fastier/{asked['TemplateName']}")
        if body is None:
            raise Refused("InvalidParameterValue", f"No Configuration Template named '{asked['TemplateName']}' found.")
        found: Parameters = yaml.safe_load(body)
        return found

    def _ValidateConfigurationSettings(self, asked: Parameters) -> Parameters:  # noqa: N802
        self._require_platform(asked)
        return {"Messages": []}

    def _UpdateEnvironment(self, asked: Parameters) -> Parameters:  # noqa: N802
        name = asked["EnvironmentName"]
        if name not in self.environments:
            raise Refused("InvalidParameterValue", f"No Environment found for EnvironmentName = '{name}'.")
        label = asked.get("VersionLabel", self.environments[name]["VersionLabel"])
        if label not in self.versions:
            raise Refused("InvalidParameterValue", f"No Application Version named '{label}' found.")
        if "TemplateName" in asked:
            self._template(asked)
        return self._launched(name, label, "Environment update completed successfully.")

    def _launched(self, name: str, label: str, message: str) -> Parameters:
        # Later than the moment at which the EB CLI began to wait.
        now = datetime.now(UTC) + timedelta(seconds=1)
        facts = {"EnvironmentName": name, "EnvironmentId": "e-abcdefghij", "ApplicationName": "fastier"}
        facts |= {"VersionLabel": label, "PlatformArn": PLATFORM, "SolutionStackName": STACK}
        facts |= {"EnvironmentArn": f"arn:aws:elasticbeanstalk:{REGION}:123456789012:environment/fastier/{name}"}
        facts |= {"CNAME": f"{name}.{REGION}.elasticbeanstalk.com"}
        facts |= {"Status": "Ready", "Health": "Green", "DateCreated": now, "DateUpdated": now}
        self.environments[name] = {**facts, "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"}}
        event = {"EventDate": now, "Message": message + (name if message.endswith(": ") else ""), "Severity": "INFO"}
        self.events = [{**event, "ApplicationName": "fastier", "EnvironmentName": name, "RequestId": query.REQUEST}]
        return self.environments[name]

    def _DescribeEnvironments(self, asked: Parameters) -> Parameters:  # noqa: N802
        names = asked.get("EnvironmentNames", list(self.environments))
        return {"Environments": [self.environments[name] for name in names if name in self.environments]}

    def _DescribeEnvironmentResources(self, asked: Parameters) -> Parameters:  # noqa: N802
        return {"EnvironmentResources": {"EnvironmentName": asked.get("EnvironmentName", ""), "LoadBalancers": []}}

    def _DescribeEvents(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"Events": self.events}

    def _ListRoles(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"Roles": [], "IsTruncated": False}

    def _ListInstanceProfiles(self, _: Parameters) -> Parameters:  # noqa: N802
        return {"InstanceProfiles": [], "IsTruncated": False}

    def _CreateRole(self, asked: Parameters) -> Parameters:  # noqa: N802
        name, now = asked["RoleName"], datetime.now(UTC)
        role = {"Path": "/", "RoleName": name, "RoleId": "AROAABCDEFGHIJKLMNOP", "CreateDate": now}
        return {"Role": {**role, "Arn": f"arn:aws:iam::123456789012:role/{name}"}}

    def _CreateInstanceProfile(self, asked: Parameters) -> Parameters:  # noqa: N802
        name, now = asked["InstanceProfileName"], datetime.now(UTC)
        profile = {"Path": "/", "InstanceProfileName": name, "InstanceProfileId": "AIPAABCDEFGHIJKLMNOP"}
        arn = f"arn:aws:iam::123456789012:instance-profile/{name}"
        return {"InstanceProfile": {**profile, "Arn": arn, "CreateDate": now, "Roles": []}}

    def _AttachRolePolicy(self, _: Parameters) -> Parameters:  # noqa: N802
        return {}

    _AddRoleToInstanceProfile = _AttachRolePolicy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Set by the server.
    beanstalk: Beanstalk

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            status, text = 200, self.beanstalk.answer(dict(parse_qsl(body, keep_blank_values=True)))
        except Refused as error:
            status, text = 400, query.refused(error)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(beanstalk: Beanstalk) -> Iterator[str]:
    """The address at which it answers while the block runs."""
    handler = type("Handler", (_Handler,), {"beanstalk": beanstalk})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
