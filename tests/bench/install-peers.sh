#!/usr/bin/env bash
# Installs the Debian packages that the drivers of other libraries need. Not needed for pcct-bench itself.
set -euo pipefail

packages=(g++ libnanoflann-dev libflann-dev liblz4-dev python3-numpy python3-scipy)
as_root=()
if [ "$(id -u)" != 0 ]; then
  as_root=(sudo)
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${packages[@]}"
