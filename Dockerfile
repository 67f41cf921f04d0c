# The daemon for a team's host. It needs the engine's socket and, for previews
# and firewall rules, the host's network: see docker-compose.yml.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --profile dist -p kiln-daemon -p kiln-tui \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --profile dist \
      --target-dir target/static --target "$(rustc -vV | sed -n 's/^host: //p')" -p kiln-supervisor \
 && mkdir /out \
 && cp target/dist/kilnd target/dist/kiln target/static/*/dist/kiln-supervisor /out/

FROM ${BASE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /usr/local/bin/
VOLUME /var/lib/kiln
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["kilnd", "ping"]
ENTRYPOINT ["kilnd"]
