#!/usr/bin/env bash
# Makes sure that the base image of the challenges is in the engine: pulled where a registry is within reach, else a
# stand-in made from Debian's packages, which carries this machine's CA bundle so that pip in a build reaches an index
# behind a company's own certificate authority. A stand-in bears the label org.mlops-harness.stand-in=true.
set -euo pipefail
base=${BASE_IMAGE:-python:3.11-slim-bookworm}
say() { printf 'engine: %s\n' "$*"; }
docker=docker
for candidate in $(type -ap docker) /usr/bin/docker; do
  if "$candidate" buildx version >/dev/null 2>&1; then docker=$candidate; break; fi
done

if "$docker" image inspect "$base" >/dev/null 2>&1; then exit 0; fi
[ "${1:-}" != --check ] || { say "the base image $base is missing; 'make engine' gets it" >&2; exit 1; }

say "pulling $base"
if timeout 120 "$docker" pull --quiet "$base" >/dev/null 2>&1; then exit 0; fi

command -v mmdebstrap >/dev/null || { say "$base can be neither pulled nor made: no registry within reach, and no mmdebstrap (Debian: apt-get install mmdebstrap)" >&2; exit 1; }
say "no registry within reach: making a stand-in for $base from Debian's packages (about 40 s)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only main Debian sources: a pinned newer suite on the host must not leak into the image.
mirror=$(sed -nE 's/^URIs: *([^ ]+\/debian)\/?$/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1 || true)
mmdebstrap --quiet --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
  --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/doc/* "$1"/usr/share/man/*' \
  bookworm "$work/base.tar" "deb ${mirror:-http://deb.debian.org/debian} bookworm main"
"$docker" import --change 'CMD ["python3"]' "$work/base.tar" mlops-harness/stand-in:bare >/dev/null

cp /etc/ssl/certs/ca-certificates.crt "$work/host-ca.crt"
cat > "$work/Dockerfile" <<'DOCKERFILE'
FROM mlops-harness/stand-in:bare
COPY host-ca.crt /etc/ssl/certs/ca-certificates.crt
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \
 && ln -sf python3 /usr/bin/python && mkdir -p /usr/local/bin && ln -sf /usr/bin/python3 /usr/local/bin/python \
 && ln -sf /usr/bin/pip3 /usr/local/bin/pip
ENV LANG=C.UTF-8 PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.mlops-harness.stand-in=true
CMD ["python3"]
DOCKERFILE
"$docker" buildx build --quiet --load --tag "$base" "$work" >/dev/null
say "made $base ($("$docker" image inspect --format '{{.Size}}' "$base" | numfmt --to=iec))"
