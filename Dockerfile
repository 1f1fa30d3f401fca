# syntax=docker/dockerfile:1
#
# Two images of one program:
#
#   docker build --target node -t citystream:node .   masters, workers and the fleet: a static binary on an empty base
#   docker build -t citystream:sql .                  everything, with the local SQL engine
#
# The local SQL engine is DuckDB, which is C++: with it the binary needs libc, libgcc and libstdc++ at run time, which distroless/cc has. A node
# runs no SQL, so its binary is built without cgo and needs nothing at all. Neither image has a shell or a package manager, and both run as the
# user 65532, whom the distroless images call nonroot.

FROM golang:1.26-bookworm AS source
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# Volumes that are mounted over these folders begin with their owner.
RUN mkdir -p /folders/data /folders/certs
ARG VERSION=development

FROM source AS build-node
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/citystream ./cmd/citystream

# The image of the compiler has gcc and g++, of the same Debian as the base below.
FROM source AS build-sql
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/citystream ./cmd/citystream

FROM gcr.io/distroless/static-debian12:nonroot AS node
COPY --from=build-node /out/citystream /usr/local/bin/citystream
COPY --from=source --chown=65532:65532 /folders/ /
USER 65532:65532
WORKDIR /data
ENV CITYSTREAM_NODE_LISTEN=0.0.0.0:7700 CITYSTREAM_NODE_HTTP=0.0.0.0:9465
EXPOSE 7700 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m --start-interval=2s \
    CMD ["/usr/local/bin/citystream", "health", "--url", "http://127.0.0.1:9465/readyz"]
ENTRYPOINT ["/usr/local/bin/citystream"]
CMD ["worker"]

FROM gcr.io/distroless/cc-debian12:nonroot AS sql
COPY --from=build-sql /out/citystream /usr/local/bin/citystream
COPY --from=source --chown=65532:65532 /folders/ /
USER 65532:65532
WORKDIR /data
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=2m --start-interval=2s \
    CMD ["/usr/local/bin/citystream", "health", "--url", "http://127.0.0.1:9465/readyz"]
ENTRYPOINT ["/usr/local/bin/citystream"]
CMD ["up", "--stay", "--data", "/data"]
