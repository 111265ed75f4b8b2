# syntax=docker/dockerfile:1
# The image of the sidecar. `make image` builds the wheel and its bill of materials first, then this.
#
# The base is pinned by the digest that BASE carries: --build-arg BASE=docker.io/library/python:3.13-slim-bookworm@sha256:…
# The default is only a tag, because a digest written here would be an old base with known holes within a month:
# whoever releases resolves it on that day and records it (docs/kubernetes.md, "The image").
ARG BASE=docker.io/library/python:3.13-slim-bookworm

# Installs; nothing of this stage but /opt/sidecar is kept, pip neither.
FROM ${BASE} AS build
COPY dist/*.whl dist/constraints.txt /dist/
# Wheels only: nothing is compiled here, and no dependency runs code of its own to install itself.
# Bytecode is written now, since the root file system is read-only later.
RUN python -m venv --without-pip /opt/sidecar \
 && python -m pip --python /opt/sidecar/bin/python install --no-cache-dir --no-compile --only-binary=:all: \
      --constraint /dist/constraints.txt /dist/*.whl \
 && /opt/sidecar/bin/python -m compileall -q -j 0 /opt/sidecar/lib

FROM ${BASE} AS sidecar
LABEL org.opencontainers.image.title="inference-sidecar" \
      org.opencontainers.image.source="https://github.com/inference-sidecar/inference-sidecar" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/sidecar /opt/sidecar
COPY dist/sbom.cdx.json /usr/share/sbom/inference-sidecar.cdx.json
ENV PATH=/opt/sidecar/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By number, so that Kubernetes can see that it is not root. The user has no name, no home and no shell.
USER 65532:65532
WORKDIR /
# Traffic; probes and metrics.
EXPOSE 18080 19464
# For Docker; Kubernetes asks over HTTP. No shell is needed, here or anywhere.
HEALTHCHECK --interval=10s --timeout=6s --start-period=20s CMD ["/opt/sidecar/bin/sidecar", "probe"]
ENTRYPOINT ["/opt/sidecar/bin/sidecar"]
CMD ["run"]

# The init container of injection.redirect: the same, and iptables. Root, since only root can be given NET_ADMIN.
FROM sidecar AS redirect
USER 0:0
RUN apt-get update \
 && apt-get install -y --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/*
HEALTHCHECK NONE
CMD ["redirect", "--help"]

# What `docker build` makes when nothing is said.
FROM sidecar
