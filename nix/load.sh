#!/bin/sh
# load [ENGINE]: puts every image of this directory into podman (or docker) and says what is there.
set -eu
here=$(dirname "$(readlink -f "$0")")
engine=${1:-podman}
command -v "$engine" >/dev/null || {
  echo "load: $engine is not installed; say which engine: $0 docker" >&2
  exit 2
}
"$engine" load --quiet --input "$here/images.tar"
echo "load: sizes, layers and digests are in $here/manifest.json" >&2
