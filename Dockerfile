FROM rust:1.95.0-bookworm AS chef
WORKDIR /build
RUN cargo install cargo-chef --locked --version 0.1.78

FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

# The dependencies are a layer of their own, built from what cargo-chef extracts of the
# manifests: it is rebuilt when they change, not when the code does, and as a layer it comes out
# of any registry cache, which a cache mount would not. `cargo chef` knows every target and
# manifest that a hand-made src/main.rs would have to imitate.
FROM chef AS build
COPY --from=plan /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --bin dual-stream --recipe-path recipe.json
COPY . .
RUN cargo build --release --locked --bin dual-stream

FROM debian:12.12-slim AS runtime

ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="dual-stream" \
      org.opencontainers.image.description="HTTP ingest in front of Kafka: stored means acknowledged, announced on Redis Pub/Sub." \
      org.opencontainers.image.licenses="MIT-0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# Without versions, so that a rebuild takes Debian's security updates: within one Debian release
# nothing else changes in them.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/*

COPY --from=build /build/target/release/dual-stream /usr/local/bin/dual-stream

ENV DUAL_STREAM__HTTP__LISTEN=0.0.0.0:8080 \
    DUAL_STREAM__ADMIN__LISTEN=0.0.0.0:8081
EXPOSE 8080 8081

# A number, so that an orchestrator can see that it is not root. The service writes no files.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/dual-stream", "health", "--live"]
ENTRYPOINT ["/usr/local/bin/dual-stream"]
CMD ["serve"]
