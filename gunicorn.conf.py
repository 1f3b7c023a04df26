"""Configures gunicorn, which finds this file by its name; the same on AWS and on a developer's machine.

The ladder of timeouts, the innermost first, so that what is nearest to a fault gives up first:
database lock 2 s, pool 2 s, connect 2 s an address, statement 5 s, a silent server 5.3 s; storage connect 1 s,
read 2 s; admission's patience 2 s; stopping 25 s; a worker's heartbeat 30 s; nginx's wait 30 s; the load balancer's
idle 55 s < keepalive.
"""

import ctypes
import gc
import os
import socket
import struct
import sys
from typing import Any

from fastier.settings import Settings, SettingsError
from fastier.web import sizing
from fastier.web.memory import MemoryGuard
from fastier.web.worker import JsonLogger, Worker

try:
    _settings = Settings.from_environ(os.environ)
except SettingsError as error:
    sys.exit(str(error))
_sizing = sizing.for_this_machine(_settings)

# nginx runs beside it. FASTIER_BIND opens it to other hosts, such as in a container.
bind = f"{_settings.bind}:{_settings.port}"
workers = _sizing.workers
threads = _sizing.threads
worker_class = Worker
# All shares together leave room for what else runs on the instance, see fastier/web/sizing.py.
Worker.memory = MemoryGuard(_sizing.worker_memory)
logger_class = JsonLogger
loglevel = _settings.log_level.lower()
accesslog = None

# Loaded once and shared by fork: a worker starts in milliseconds and keeps most of its memory in common.
preload_app = True
reuse_port = False
pidfile = None
# It would listen in the home folder, and nobody uses it.
control_socket_disable = True
# The heartbeat's file: on a disk its update can block, and the worker would be taken for dead.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

timeout = 30
graceful_timeout = 25
# Longer than the 55 s and 60 s for which a load balancer and nginx reuse an idle connection, or it meets a closed one.
keepalive = 75
# Recycling workers by count would hide a leak and costs throughput; the memory guard recycles one that outgrew its
# share, and says so.
max_requests = 0

# Both bound what can queue where admission cannot see it. Idle connections from nginx count among the second.
backlog = 128
worker_connections = threads + 256

# A list's filter and cursor are long; nginx takes as much in its default buffers.
limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190

# nginx alone may say that the client came by https, by this one header, and nobody may set SCRIPT_NAME.
forwarded_allow_ips = "127.0.0.1"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""

# How long a client may keep a thread waiting for its next bytes, or for room to send it more.
SILENT_CLIENT_SECONDS = 15

# glibc gives threads up to eight arenas per core, none of which gives back what another could use. This is what
# MALLOC_ARENA_MAX=2 does, wherever gunicorn is started from.
M_ARENA_MAX = -8
_libc = ctypes.CDLL(None)
if hasattr(_libc, "mallopt"):
    _libc.mallopt(M_ARENA_MAX, 2)

# The parent only loads and forks. A collection there would write to every page that its workers share.
gc.disable()


def when_ready(server: Any) -> None:
    """Bound what a slow client can hold; accepted connections inherit these options from the listener."""
    limit = struct.pack("ll", SILENT_CLIENT_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        # A connection is handed over with its first bytes: one that sends nothing takes no thread.
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_CLIENT_SECONDS)


def pre_fork(_server: Any, _worker: Any) -> None:
    """Keep what the parent made out of every later collection, so that its pages stay shared."""
    gc.freeze()


def post_fork(_server: Any, _worker: Any) -> None:
    """Collect again, and leave the parent's database connections to the parent."""
    gc.enable()
    services = getattr(sys.modules.get("application"), "services", None)
    if services is not None:
        services.database.after_fork()
