# FramePack-eichi in a container: what is in it, how it is built and run stands in docs/guide/docker.md.
# The program's own files change often and are small; the libraries change seldom and are large. Each has its layer.

ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS tools
ARG INDEX=https://pypi.org/simple
COPY install/uv.txt /build/install/
RUN python -m venv /opt/uv \
 && /opt/uv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --index-url "$INDEX" \
        --only-binary :all: --require-hashes --requirement /build/install/uv.txt

FROM tools AS libraries
# The build of torch: this one computes on the CPU, https://download.pytorch.org/whl/cu130 on NVIDIA cards.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV UV_DEFAULT_INDEX=${INDEX} UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY constraints.txt ./
COPY install install
# All but torch by hashes; then torch itself, and from the first index what that build wants beside it.
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv venv --quiet --python "$(command -v python)" /opt/eichi \
 && install="/opt/uv/bin/uv pip install --python /opt/eichi --no-build" \
 && $install --no-deps --require-hashes --requirements install/lock.txt \
 && $install --no-deps --constraints constraints.txt --default-index "$TORCH_INDEX" torch \
 && $install --constraints constraints.txt torch

FROM libraries AS program
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY docs docs
RUN /opt/uv/bin/uv build --quiet --wheel --python /opt/eichi --no-build-isolation --out-dir /wheels

FROM ${BASE}
# Packages of Debian: a font for labels in all languages, of 5 MB; and what is added, such as "gcc libc6-dev", which torch
# wants where it compiles.
ARG FONTS="fonts-wqy-microhei"
ARG PACKAGES=""
RUN if [ -n "$FONTS$PACKAGES" ]; then \
        apt-get update && apt-get install --yes --no-install-recommends $FONTS $PACKAGES && rm -rf /var/lib/apt/lists/*; \
    fi \
 && groupadd --gid 1000 eichi \
 && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin eichi \
 && install --directory --owner eichi --group eichi \
        /app/framepack/data /app/framepack/data/models /app/framepack/hf_download /app/framepack/outputs
COPY --from=libraries /opt/eichi /opt/eichi
RUN --mount=type=bind,from=tools,source=/opt/uv,target=/opt/uv \
    --mount=type=bind,from=program,source=/wheels,target=/wheels \
    /opt/uv/bin/uv pip install --quiet --no-cache --python /opt/eichi --no-deps --no-index --compile-bytecode /wheels/*.whl

# What is kept lies in the volumes, what can be lost in /tmp; a user by number has no name but this one.
ENV PATH=/opt/eichi/bin:$PATH \
    EICHI_HOME=/app/framepack/data \
    EICHI_OUTPUTS=/app/framepack/outputs \
    HF_HOME=/app/framepack/hf_download \
    TORCHINDUCTOR_CACHE_DIR=/app/framepack/data/cache/inductor \
    TRITON_CACHE_DIR=/app/framepack/data/cache/triton \
    HOME=/tmp USER=eichi LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app/framepack
VOLUME ["/app/framepack/data", "/app/framepack/outputs"]
USER 1000:1000
EXPOSE 8001
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 CMD ["python", "-c", "from http.client import HTTPConnection as To; to = To('127.0.0.1', 8001, timeout=5); to.request('GET', '/api/v1/health'); raise SystemExit(to.getresponse().status != 200)"]
LABEL org.opencontainers.image.title="FramePack-eichi" \
      org.opencontainers.image.description="A picture and a prompt in, a video out, on your own machine" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="2.0.0.dev0"
ENTRYPOINT ["eichi", "ui", "--server", "0.0.0.0"]
CMD ["--lang", "en"]
