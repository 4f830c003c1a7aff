# Short names for the commands of CONTRIBUTING.md. Each is one of them, never a second copy.

# List them.
default:
    @just --list

# The quickstart.
serve:
    cargo run --release -p authd -- serve --resources examples/quickstart

# Format everything.
fmt:
    cargo fmt --all

# What the compiler and clippy have to say.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation of the code.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Tests that need no peers.
unit:
    cargo test --workspace --lib

# Every test, with the real peers.
test:
    tests/run

# Rewrite what is generated: the kinds' YAML and the reference pages.
update:
    UPDATE=1 cargo test --workspace --lib

# What a merge has to pass.
ci:
    .ci/run

# Throughput and latency, beside others in the same run.
bench:
    bench/run
