#!/usr/bin/env bash
# An S3 server on loopback for `npm run test:s3`: Ceph's, its data in memory, thrown away at Ctrl-C. Prints the variables
# that name it. On Debian: apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common radosgw curl
set -euo pipefail

port=${1:-7480} # and the one after it
monitor=v2:127.0.0.1:$((port + 1))
access_key=tests-access-key
secret_key=tests-secret-key
id=$(cat /proc/sys/kernel/random/uuid)
dir=$(mktemp -d)

stop() {
  trap '' INT TERM
  kill $(jobs -p) || true
  wait
  rm -r "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

export CEPH_CONF=$dir/ceph.conf
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $id
mon host = $monitor
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
mon data = $dir/mon
mon allow pool size one = true
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default pg num = 8
rgw frontends = beast endpoint=127.0.0.1:$port
rgw gc obj min wait = 1
rgw gc processor period = 5
run dir = $dir
log file = $dir/\$name.log
CONF

{
  monmaptool --create --addv a "[$monitor]" --fsid "$id" "$dir/monmap"
  ceph-mon -i a --mkfs --monmap "$dir/monmap"
  ceph-mon -f -i a &
  ceph osd new "$id"
  mkdir "$dir/osd"
  ceph-osd -i 0 --mkfs --osd-uuid "$id"
  ceph-osd -f -i 0 &
  radosgw-admin user create --uid tests --display-name Tests --access-key "$access_key" --secret "$secret_key"
  radosgw -f &
  curl -sS -o "$dir/buckets" --retry 90 --retry-delay 1 --retry-connrefused "http://127.0.0.1:$port"
} >&2
echo "export S3_ENDPOINT=http://127.0.0.1:$port S3_REGION=us-east-1" \
  "AWS_ACCESS_KEY_ID=$access_key AWS_SECRET_ACCESS_KEY=$secret_key"
wait
