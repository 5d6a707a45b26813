# One image a service: docker build --build-arg SERVICE=inventory --tag steward-inventory .
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS packages
COPY requirements/run.lock /run.lock
RUN python -m venv --without-pip /opt/steward/python \
    && pip --python /opt/steward/python/bin/python install --no-cache-dir --only-binary=:all: --require-hashes -r /run.lock

FROM ${PYTHON} AS code
WORKDIR /opt/steward
COPY shared shared
COPY services services
RUN python -m compileall -q --invalidation-mode unchecked-hash shared services

FROM ${PYTHON} AS loops
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
COPY services/compliance/log/hashing/loops.c /loops.c
RUN gcc -O2 -shared -fPIC -o /loops.so /loops.c

FROM ${PYTHON} AS image
RUN groupadd --system --gid 10001 steward \
    && useradd --system --uid 10001 --gid steward --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin steward \
    && install -d -o steward -g steward /etc/steward /var/lib/steward \
    && printf '#!/bin/sh\nexec /opt/steward/python/bin/python -P -m services "$@"\n' | install -m 755 /dev/stdin /usr/local/bin/steward
COPY --from=packages /opt/steward/python /opt/steward/python
COPY --from=code /opt/steward/shared /opt/steward/shared
COPY --from=code /opt/steward/services /opt/steward/services
COPY --from=loops /loops.so /opt/steward/services/compliance/log/hashing/loops.so

ARG SERVICE
RUN test -f "/opt/steward/services/${SERVICE:?say which service: --build-arg SERVICE=inventory}/__main__.py"
RUN if [ "$SERVICE" = backup ]; then \
        apt-get update && apt-get install -y --no-install-recommends restic && rm -rf /var/lib/apt/lists/*; \
    elif [ "$SERVICE" = probes ]; then \
        apt-get update && apt-get install -y --no-install-recommends monitoring-plugins-basic \
        && rm -rf /var/lib/apt/lists/*; \
    fi

ENV PYTHONPATH=/opt/steward PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV SERVICE=${SERVICE} STEWARD_HTTP_HOST=0.0.0.0 STEWARD_HTTP_PORT=8080
WORKDIR /
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:8080/' + os.environ['SERVICE'] + '/health/ready', timeout=4)"]
STOPSIGNAL SIGTERM
CMD exec steward run "$SERVICE"
