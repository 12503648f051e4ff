# The static binary, built in a container, for machines without a Rust toolchain: `docker/build --in-container`.
# The context is the repository.
ARG RUST=rust:1.95-bookworm
FROM ${RUST} AS build
WORKDIR /src
COPY . .
RUN host=$(rustc -vV | sed -n 's/^host: //p') \
 && cargo build --release --locked -p node --bin dgt --target "$host" \
    --config "target.$host.rustflags=['-C', 'target-feature=+crt-static']" \
 && strip -o /dgt target/*/release/dgt

FROM scratch
COPY --from=build /dgt /dgt
# Nobody runs it: `docker create` wants a command.
CMD ["/dgt"]
