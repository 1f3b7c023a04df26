"""The AWS query protocol from the service's side, by the models of botocore: what they do not describe is refused."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

# The version that a request names says which service it is for.
SERVICES = {"2010-12-01": "elasticbeanstalk", "2010-05-08": "iam"}
REQUEST = "0f2ac1be-52a1-4b4e-8d6c-4f3e4a2c9d10"


class Refused(Exception):
    """A request that the service answers with 400, with the code and the message that it gives."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Models:
    """Operations by their names; in `folder` lie the EB CLI's own models, which know more than botocore's."""

    def __init__(self, folder: Path) -> None:
        paths = [str(folder), Loader.BUILTIN_DATA_PATH]
        loader = Loader(extra_search_paths=paths, include_default_search_paths=False)
        self._models: dict[str, ServiceModel] = {
            version: ServiceModel(loader.load_service_model(name, "service-2"), name)
            for version, name in SERVICES.items()
        }

    def operation(self, form: Mapping[str, str]) -> OperationModel:
        """What the request asks for."""
        return self._models[form["Version"]].operation_model(form["Action"])


def parsed(of: OperationModel, form: Mapping[str, str]) -> dict[str, Any]:
    """The request's parameters as the model has them; raises Refused for an unknown or an unfit one."""
    flat = {name: value for name, value in form.items() if name not in ("Action", "Version")}
    used: set[str] = set()
    found = _structure(of.input_shape, flat, "", used) if of.input_shape else {}
    if unknown := set(flat) - used:
        raise Refused("InvalidParameter", f"{of.name} has no {', '.join(sorted(unknown))}")
    if of.input_shape:
        report = ParamValidator().validate(found, of.input_shape)
        if report.has_errors():
            raise Refused("InvalidParameter", report.generate_report())
    return found


def _structure(shape: StructureShape, flat: Mapping[str, str], prefix: str, used: set[str]) -> dict[str, Any]:
    found = {}
    for name, member in shape.members.items():
        value = _value(member, flat, prefix + str(member.serialization.get("name", name)), used)
        if value is not None:
            found[name] = value
    return found


def _value(shape: Shape, flat: Mapping[str, str], path: str, used: set[str]) -> Any:
    if isinstance(shape, ListShape):
        # What is sent for an empty one.
        if flat.get(path) == "":
            used.add(path)
            return []
        beneath = re.compile(re.escape(path) + r"\.member\.(\d+)(?:\.|$)")
        numbers = {int(match.group(1)) for name in flat if (match := beneath.match(name))}
        return [_value(shape.member, flat, f"{path}.member.{number}", used) for number in sorted(numbers)] or None
    if isinstance(shape, StructureShape):
        return _structure(shape, flat, path + ".", used) or None
    if path not in flat:
        return None
    used.add(path)
    text = flat[path]
    if shape.type_name in ("integer", "long"):
        return int(text)
    return {"true": True, "false": False}[text] if shape.type_name == "boolean" else text


def answered(of: OperationModel, result: Mapping[str, Any]) -> str:
    """The answer as XML; raises KeyError for a member that the model does not have."""
    inner = ""
    if of.output_shape:
        wrapper = of.output_shape.serialization["resultWrapper"]
        inner = f"<{wrapper}>{_written(of.output_shape, result)}</{wrapper}>"
    metadata = f"<ResponseMetadata><RequestId>{REQUEST}</RequestId></ResponseMetadata>"
    return f"<{of.name}Response>{inner}{metadata}</{of.name}Response>"


def _written(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(_tag(name, shape.members[name], inner) for name, inner in value.items())
    if isinstance(shape, ListShape):
        return "".join(_tag("member", shape.member, inner) for inner in value)
    assert not isinstance(shape, MapShape), "no answer of these services has a map"
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if isinstance(value, datetime) else str(value))


def _tag(name: str, shape: Shape, value: Any) -> str:
    return f"<{name}>{_written(shape, value)}</{name}>"


def refused(error: Refused) -> str:
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{REQUEST}</RequestId></ErrorResponse>"
    )
