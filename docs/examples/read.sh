#!/bin/sh
# Reads a chain with curl: sh read.sh http://127.0.0.1:8108
set -eu
url=$1

# The newest block, and the one before it: a page, and its link to the next.
curl -sSf "$url/blocks?limit=2"

# All state of the settings family (namespace 000000), as addresses and base64 values.
curl -sSf "$url/state?address=000000"

# What the node says of itself.
curl -sSf "$url/status"

# An error has a code, a title and a message. This address is too short.
curl -sS "$url/state/000000"
