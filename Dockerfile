# One image for all services of compose.yaml.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package cli --bin annals && cp target/release/annals /annals

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/annals --create-home annals
COPY --from=build /annals /usr/local/bin/annals
USER annals
WORKDIR /var/lib/annals
VOLUME /var/lib/annals
EXPOSE 7401 7402
ENTRYPOINT ["annals"]
