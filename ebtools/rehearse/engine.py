"""The platform's deployment on one instance, step by step in its order."""

import base64
import os
import re
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ebtools.preflight import extensions, proxy
from ebtools.preflight.bundle import Bundle
from ebtools.rehearse.instance import NGINX, WEBAPP, Done, Instance
from ebtools.rehearse.processes import Unit

VENV = "/var/app/venv/staging-LQM1lest"
STAGING, CURRENT = "/var/app/staging", "/var/app/current"
ENV_FILE = "opt/elasticbeanstalk/deployment/env"
LOG = "eb-engine.log"
PROC_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(\S.*)$")
# How long the platform waits for a process's pid file before the deployment fails.
PID_SECONDS = 6.0
# What the platform does and an offline machine cannot.
NOT_IMITATED = {
    "packages": "packages of yum and rpm",
    "services": "services that are not the bundle's own",
    "sources": "archives fetched from elsewhere",
    "users": "accounts",
    "groups": "groups of accounts",
}


class DeploymentFailed(Exception):
    """A step failed, and the deployment with it; the message names the instance and step, with the step's last line."""


@dataclass(slots=True)
class Engine:
    """Deploys archives on one instance, as the platform's engine there does.

    properties: the environment's, for the application and every hook. seconds: what a deployment may take.
    """

    instance: Instance
    properties: Mapping[str, str] = field(repr=False)
    seconds: float
    not_imitated: set[str] = field(default_factory=set)
    units: list[Unit] = field(default_factory=list)
    nginx: Unit | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What processes and hooks find in their environment."""
        path = f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
        # The platform sets PYTHONPATH to a folder of programs, which holds no module; hooks find `activate` there.
        return {"PORT": "8000", "PYTHONPATH": f"{VENV}/bin", **self.properties, "PATH": path}

    def deploy(self, archive: Path, *, is_leader: bool) -> None:
        """All steps for a new version; DeploymentFailed leaves the instance as the step that failed has left it."""
        with self.instance.yielding():
            self._deploy(archive, is_leader=is_leader)

    def _deploy(self, archive: Path, *, is_leader: bool) -> None:
        bundle = Bundle.of_archive(archive)
        hooks = {**self.environ, "HOME": "/root", **({"EB_IS_COMMAND_LEADER": "true"} if is_leader else {})}
        self._step("ebextensions before the application", lambda: self._extensions(bundle, hooks))
        self._step("staging", lambda: self._stage(archive))
        self._hooks("hooks/prebuild", STAGING, hooks)
        self._step("container commands", lambda: self._container_commands(bundle, hooks, is_leader=is_leader))
        shutil.rmtree(self._path(STAGING) / ".ebextensions", ignore_errors=True)
        self._hooks("hooks/predeploy", STAGING, hooks)
        self._step("the application", self._flip)
        self._step("the proxy", self._start_proxy)
        self._hooks("hooks/postdeploy", CURRENT, hooks)

    def configure(self, properties: Mapping[str, str]) -> None:
        """A deployment of the configuration alone: the same code, other properties, the confighooks instead."""
        self.properties = properties
        hooks = {**self.environ, "HOME": "/root"}
        for when in ("prebuild", "predeploy"):
            self._hooks(f"confighooks/{when}", CURRENT, hooks)
        self._step("the application", self._restart)
        self._hooks("confighooks/postdeploy", CURRENT, hooks)

    def _path(self, place: str) -> Path:
        return self.instance.root / place.lstrip("/")

    def _step(self, name: str, act: Callable[[], None]) -> None:
        began = time.monotonic()
        try:
            act()
        except DeploymentFailed as error:
            self._note(f"{name} failed: {error}")
            raise DeploymentFailed(f"{self.instance.name}, {name}: {error}") from None
        self._note(f"{name}: {time.monotonic() - began:.2f} s")

    def _note(self, text: str) -> None:
        with (self.instance.root / "var/log" / LOG).open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n")

    def _run(self, command: list[str], folder: str, environ: Mapping[str, str]) -> Done:
        done = self.instance.run(command, folder=folder, environ=environ, timeout=self.seconds)
        self._note(f"{' '.join(command)}: exit {done.code}\n{done.output.rstrip()}".rstrip())
        if done.code != 0:
            raise DeploymentFailed(f"{command[-1]}: {done.last_lines}")
        return done

    def _hooks(self, place: str, folder: str, environ: Mapping[str, str]) -> None:
        found = sorted(path for path in (self._path(folder) / ".platform" / place).glob("*") if path.is_file())
        for path in found:
            # The platform makes hooks executable, and Windows' line ends Unix's.
            path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
            path.chmod(0o755)
            name = f"{folder}/.platform/{place}/{path.name}"
            self._step(f"{place}/{path.name}", lambda name=name: self._hook(name, folder, environ))  # type: ignore[misc]

    def _hook(self, name: str, folder: str, environ: Mapping[str, str]) -> None:
        self._run([name], folder, environ)

    def _extensions(self, bundle: Bundle, environ: Mapping[str, str]) -> None:
        documents = self._documents(bundle)
        for document in documents:
            self.not_imitated |= {NOT_IMITATED[key] for key in NOT_IMITATED if document.get(key)}
            for name, wanted in (document.get("files") or {}).items():
                self._write(str(name), wanted)
            for name, wanted in sorted((document.get("commands") or {}).items()):
                self._command(str(name), wanted, "/", environ)

    @staticmethod
    def _documents(bundle: Bundle) -> list[dict[str, Any]]:
        return [one.document for one in extensions.read(bundle) if isinstance(one.document, dict)]

    def _write(self, name: str, wanted: Mapping[str, Any]) -> None:
        if "content" not in wanted:
            self.not_imitated.add("files fetched from elsewhere")
            return
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = str(wanted["content"])
        encoded = wanted.get("encoding") == "base64"
        path.write_bytes(base64.b64decode(text) if encoded else text.encode())
        path.chmod(int(str(wanted.get("mode", "000644"))[-4:], 8))

    def _command(self, name: str, wanted: Mapping[str, Any], folder: str, environ: Mapping[str, str]) -> None:
        place = str(wanted.get("cwd") or folder)
        own = {**environ, **{str(key): str(value) for key, value in (wanted.get("env") or {}).items()}}
        text = wanted["command"]
        command = [str(part) for part in text] if isinstance(text, list) else ["sh", "-c", str(text)]
        if "test" in wanted and self.instance.run(["sh", "-c", str(wanted["test"])], folder=place, environ=own).code:
            return
        try:
            self._run(command, place, own)
        except DeploymentFailed as error:
            if str(wanted.get("ignoreErrors", "false")).lower() != "true":
                raise DeploymentFailed(f"{name}: {error}") from None

    def _container_commands(self, bundle: Bundle, environ: Mapping[str, str], *, is_leader: bool) -> None:
        wanted: dict[str, Mapping[str, Any]] = {}
        for document in self._documents(bundle):
            wanted |= {str(name): one for name, one in (document.get("container_commands") or {}).items()}
        leading = [name for name, one in sorted(wanted.items()) if str(one.get("leader_only", "")).lower() == "true"]
        others = [name for name in sorted(wanted) if name not in leading]
        for name in [*(leading if is_leader else ()), *others]:
            self._command(name, wanted[name], STAGING, environ)

    def _stage(self, archive: Path) -> None:
        staging = self._path(STAGING)
        shutil.rmtree(staging, ignore_errors=True)
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                target = Path(opened.extract(info, staging))
                mode = info.external_attr >> 16
                if stat.S_ISLNK(mode):
                    text = opened.read(info).decode()
                    target.unlink()
                    target.symlink_to(text)
                elif mode and target.is_file():
                    target.chmod(mode & 0o777)
        for folder, folders, files in os.walk(staging):
            for name in (".", *folders, *files):
                os.chown(Path(folder) / name, WEBAPP, WEBAPP, follow_symlinks=False)

    def _flip(self) -> None:
        """The proxy and the old processes stop, the new code takes the old one's place, and its processes start."""
        self._stop_proxy()
        self._stop_units()
        current = self._path(CURRENT)
        shutil.rmtree(current, ignore_errors=True)
        self._path(STAGING).rename(current)
        self._start_units()

    def _restart(self) -> None:
        self._stop_units()
        self._start_units()

    def _stop_units(self) -> None:
        for unit in self.units:
            unit.stop()
            self.instance.services.remove(unit)
        self.units = []

    def _start_units(self) -> None:
        text = "".join(f'{name}="{value}"\n' for name, value in sorted(self.environ.items()))
        path = self.instance.root / ENV_FILE
        path.write_text(text)
        path.chmod(0o600)
        environ = {**self.environ, "HOME": "/home/webapp", "USER": "webapp", "LOGNAME": "webapp"}
        for name, command in self._procfile().items():
            unit = Unit(self.instance, name, ["sh", "-c", f"exec {command}"], environ, folder=CURRENT, user="webapp")
            (self.instance.root / f"var/pids/{name}.pid").unlink(missing_ok=True)
            unit.start()
            self.units.append(unit)
            self.instance.services.append(unit)
        for unit in self.units:
            self._wait_for_pid(unit)

    def _wait_for_pid(self, unit: Unit) -> None:
        deadline = time.monotonic() + PID_SECONDS
        path = self.instance.root / f"var/pids/{unit.name}.pid"
        while not path.exists():
            if time.monotonic() > deadline:
                raise DeploymentFailed(f"{unit.name} wrote no pid file: {self._said(unit)}")
            time.sleep(0.02)

    def _said(self, unit: Unit) -> str:
        lines = self.instance.log(f"{unit.name}.stdout.log", 1)
        return lines[-1] if lines else "it said nothing"

    def _procfile(self) -> dict[str, str]:
        path = self._path(CURRENT) / "Procfile"
        if not path.exists():
            return {"web": "gunicorn --bind 127.0.0.1:8000 --workers=1 --threads=15 application"}
        found = (PROC_LINE.match(line) for line in path.read_text().splitlines())
        return {line[1]: line[2] for line in found if line}

    def _stop_proxy(self) -> None:
        if self.nginx is not None:
            self.nginx.stop()
            self.instance.services.remove(self.nginx)
            self.nginx = None

    def _start_proxy(self) -> None:
        """Lay the bundle's files over the platform's, let nginx judge them, and start it; files of before may stay."""
        staged = self._path("/var/proxy/staging/nginx")
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(proxy.PLATFORM, staged)
        own = self._path(CURRENT) / ".platform/nginx"
        if own.is_dir():
            shutil.copytree(own, staged, dirs_exist_ok=True)
        (staged / "mime.types").write_text(proxy.MIME_TYPES)
        shutil.copy(staged / "mime.types", self._path("/etc/nginx/mime.types"))
        os.chown(self._path("/var/log/nginx/healthd"), NGINX, NGINX)
        self._run(["nginx", "-t", "-c", "/var/proxy/staging/nginx/nginx.conf"], "/", self.environ)
        shutil.copytree(staged, self._path("/etc/nginx"), dirs_exist_ok=True)
        command = ["nginx", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]
        self.nginx = Unit(self.instance, "nginx", command, self.environ, log="nginx/stdout.log")
        (self.instance.root / "var/pids/nginx.pid").unlink(missing_ok=True)
        self.nginx.start()
        self.instance.services.append(self.nginx)
        self._wait_for_pid(self.nginx)
