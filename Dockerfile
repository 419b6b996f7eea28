# syntax=docker/dockerfile:1
# Two images: PostgreSQL with the extension (the default), and the webhook server.
#   docker build --tag clerk-fdw .                    with --build-arg PG_MAJOR=17 for another PostgreSQL
#   docker build --target clerk-hook --tag clerk-hook .
ARG PG_MAJOR=18
# The first release of Debian that has rustup.
ARG DEBIAN=trixie

FROM postgres:${PG_MAJOR}-${DEBIAN} AS build
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates make rustup && \
    rustup set profile minimal && \
    rustup default stable
WORKDIR /build
# What is installed changes less often than the source.
COPY Cargo.toml ./
COPY bin/prepare bin/common.sh bin/
RUN bin/prepare
COPY . .
RUN --mount=type=cache,target=/root/.cargo/registry \
    make && \
    make install DESTDIR=/install && \
    strip --strip-unneeded "/install$(pg_config --pkglibdir)/clerk_fdw.so"
RUN --mount=type=cache,target=/root/.cargo/registry \
    make hook && \
    install -D --strip target/release/clerk-hook /install-hook/usr/bin/clerk-hook

FROM debian:${DEBIAN}-slim AS clerk-hook
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /install-hook/ /
COPY packaging/docker/healthy /usr/bin/clerk-hook-healthy
USER 65534:65534
# In a container nobody else reaches 127.0.0.1. Publish 8787, and keep 8788 for probes and Prometheus.
ENV CLERK_HOOK_LISTEN=0.0.0.0:8787 CLERK_HOOK_ADMIN_LISTEN=0.0.0.0:8788
EXPOSE 8787 8788
HEALTHCHECK --interval=10s --timeout=5s --start-interval=1s --start-period=10s CMD ["clerk-hook-healthy"]
ENTRYPOINT ["clerk-hook"]

FROM postgres:${PG_MAJOR}-${DEBIAN} AS database
RUN apt-get update && \
    apt-get install -y --no-install-recommends ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /install/ /
