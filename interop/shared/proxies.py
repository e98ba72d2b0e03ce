"""nginx and HAProxy before a server, in the foreground, on free ports, with a configuration in the script's folder."""

import contextlib
import os
import socket

from servers import answers, program

SBIN = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"}

NGINX = """
daemon off;
master_process off;
pid {place}/nginx.pid;
error_log {place}/nginx.log warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {place}/nginx-body;
  proxy_temp_path {place}/nginx-proxy;
  fastcgi_temp_path {place}/nginx-fastcgi;
  uwsgi_temp_path {place}/nginx-uwsgi;
  scgi_temp_path {place}/nginx-scgi;
  client_max_body_size 4m;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream chappe {{ server 127.0.0.1:{upstream}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location ^~ /c/canary {{ return 403; }}
    location / {{
      proxy_pass http://chappe;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 60s;
      proxy_set_header Host localhost;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 500
defaults
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
"""

HAPROXY_HTTP = """
listen http
  mode http
  bind 127.0.0.1:{port}
  option forwardfor
  http-request deny if {{ path_beg /c/canary }}
  http-reuse always
  server chappe 127.0.0.1:{upstream} pool-max-conn 1
"""

HAPROXY_TCP = """
listen {name}
  mode tcp
  bind 127.0.0.1:{port} accept-proxy
  server chappe 127.0.0.1:{upstream} {name}
"""


def free_port():
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def nginx(place, upstream):
    """nginx, which adds whom it speaks for to X-Forwarded-For, keeps one connection to the server, and lets nobody
    ask for `/c/canary…`. Its port."""
    port, config, log = free_port(), place / "nginx.conf", place / "nginx.log"
    config.write_text(NGINX.format(place=place, port=port, upstream=upstream))
    words = ("nginx", "-p", place, "-e", log, "-c", config)
    async with program(*words, log=place / "nginx.out", env=SBIN) as process:
        await answers(port, process, log)
        yield port


@contextlib.asynccontextmanager
async def haproxy(place, http=None, tcp=None):
    """HAProxy. At its first port it speaks HTTP as nginx does; at the others it hands on what it is announced, as
    version 2 and version 1 of the PROXY protocol."""
    ports, config = [free_port() for _ in range(3)], HAPROXY
    if http is not None:
        config += HAPROXY_HTTP.format(port=ports[0], upstream=http)
    if tcp is not None:
        config += HAPROXY_TCP.format(port=ports[1], upstream=tcp, name="send-proxy-v2")
        config += HAPROXY_TCP.format(port=ports[2], upstream=tcp, name="send-proxy")
    path, log = place / "haproxy.cfg", place / "haproxy.log"
    path.write_text(config)
    async with program("haproxy", "-db", "-f", path, log=log, env=SBIN) as process:
        await answers(ports[0] if http is not None else ports[1], process, log)
        yield ports
