# One image for the worker, the API (`api start`), the migrations (`db upgrade`) and the Novu stand-in (`novu-standin`).
# A tag moves; for a build that is the same in a year, pin both stages by digest: python:3.11-slim@sha256:…

FROM python:3.11-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src

# What we depend on changes seldom: a layer of its own. Wheels only, so that no compiler is needed.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/xnovu \
    && pip --python /opt/xnovu/bin/python install --require-hashes --only-binary=:all: -r requirements.lock

# The build backend comes from the lock of developers, hashes and all; pip refuses if one of its own needs is missing here.
COPY requirements-dev.lock ./
RUN awk '/^[^ ]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' \
        requirements-dev.lock > requirements-build.lock \
    && pip install --require-hashes --only-binary=:all: -r requirements-build.lock

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY migrations migrations
COPY xnovu_poller xnovu_poller
# For `xnovu --version`; `xnovu docker build` gives it.
ARG XNOVU_COMMIT=""
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/xnovu/bin/python install --no-index --no-deps dist/*.whl


FROM python:3.11-slim

ENV PATH=/opt/xnovu/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    PYTHONUNBUFFERED=1 \
    WORKER_HEALTH_HOST=0.0.0.0 \
    API_HOST=0.0.0.0

# Nothing is installed in here any more. A number in USER lets Kubernetes see that it is not root; the name is for libraries
# that look it up.
RUN python -m pip uninstall --yes pip setuptools wheel \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent xnovu

COPY --from=build /opt/xnovu /opt/xnovu

USER 10001:10001
WORKDIR /tmp
EXPOSE 3001 4000
STOPSIGNAL SIGTERM

# Silent only if the worker hangs, which a restart repairs; /health is for alerts. Past any proxy of the environment: it asks
# this container itself. A status other than 2xx raises.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; port = os.environ.get('WORKER_HEALTH_PORT') or os.environ.get('DAEMON_HEALTH_PORT') or '3001'; build_opener(ProxyHandler({})).open(f'http://127.0.0.1:{port}/livez', timeout=4)"]

# Also from `xnovu docker build`. It gives SOURCE_DATE_EPOCH too, the time of the commit, which BuildKit reads itself.
ARG XNOVU_COMMIT=""
LABEL org.opencontainers.image.title="xnovu-poller" \
      org.opencontainers.image.description="Turns committed PostgreSQL rows into Novu notifications, exactly once" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${XNOVU_COMMIT}"

ENTRYPOINT ["xnovu"]
CMD ["worker", "start"]
