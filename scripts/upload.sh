#!/bin/sh
# Uploads a file of any size with curl and jq, straight to the blob store where that takes it:
#
#   scripts/upload.sh "$UPLOAD_URL" film.mp4 video/mp4      → {"storageId":"…"}
#
# UPLOAD_URL is what `generateUploadUrl` answers. After a failure run the same command again, within 24 hours: it continues.
set -eu
url=$1 file=$2 type=${3:-}
size=$(wc -c < "$file" | tr -d ' ')
# What is known of a direct upload that has begun, and the store's answers to its parts.
state=${TMPDIR:-/tmp}/upload-$(printf '%s' "$url $file $size" | cksum | cut -d ' ' -f 1).json

quiet() { curl --silent --show-error "$@"; }
post() { quiet --fail-with-body --header 'Content-Type: application/json' --data "$2" "$1"; }
field() { jq --raw-output "$@"; }
keep() { printf '%s' "$1" > "$state.new" && mv "$state.new" "$state"; }
bytes() { tail -c +$(($1 + 1)) "$file" | head -c "$2"; }

directUrl=$(printf '%s' "$url" | sed 's/?/\/direct?/')
if [ ! -s "$state" ]; then
  announced=$(jq --null-input --argjson size "$size" --arg contentType "$type" '$ARGS.named + { firstParts: 1 }')
  keep "$(post "$directUrl" "$announced")"
fi

# Through the app, with tus: docs/protocol.md#resumable-uploads
if [ "$(field '.direct == null' "$state")" = true ]; then
  tus() { quiet --dump-header - --output /dev/null --header 'Tus-Resumable: 1.0.0' "$@" | tr -d '\r'; }
  header() { printf '%s\n' "$1" | sed -n "s/^$2: //Ip" | tail -n 1; }
  metadata=$(printf '%s' "$type" | base64 | tr -d '\n')
  answer=$(tus --request POST --header "Upload-Length: $size" --header "Upload-Metadata: filetype $metadata" "$url")
  chunk=67108864
  while [ -z "$(header "$answer" Storage-Id)" ]; do
    status=$(printf '%s\n' "$answer" | sed -n 's/^HTTP[^ ]* //p' | tail -n 1 | cut -d ' ' -f 1)
    offset=$(header "$answer" Upload-Offset)
    # 413: a proxy takes less in one request. 401, 409: it has begun already, or all of it is there. 423: it is being checked.
    case $status in
      2*) ;;
      413) chunk=$((chunk / 4)) ;;
      401 | 409) ;;
      423) sleep 1 ;;
      *) printf '%s\n' "$answer" >&2 && exit 22 ;;
    esac
    if [ -n "$offset" ]; then
      length=$((size - offset < chunk ? size - offset : chunk))
      answer=$(bytes "$offset" "$length" | tus --request PATCH --header "Upload-Offset: $offset" --header 'Expect:' \
        --header 'Content-Type: application/offset+octet-stream' --header 'Transfer-Encoding:' \
        --header "Content-Length: $length" --upload-file - "$url")
    else
      answer=$(tus --head "$url")
      case $(printf '%s\n' "$answer" | head -n 1) in *' 40'*) printf '%s\n' "$answer" >&2 && exit 22 ;; esac
    fi
  done
  rm -f "$state"
  printf '{"storageId":"%s"}\n' "$(header "$answer" Storage-Id)"
  exit
fi

receipt=$(field .direct.complete.receipt "$state") each=$(field .direct.partBytes "$state")
number=1
while [ $(((number - 1) * each)) -lt "$size" ]; do
  if [ "$(field --arg number "$number" '.answers[$number] == null' "$state")" = true ]; then
    signed=$(post "$directUrl" "$(jq --null-input --arg receipt "$receipt" --argjson part "$number" '{ $receipt, parts: [$part] }')")
    answer=
    if [ "$(printf '%s' "$signed" | field '.parts | length')" = 1 ]; then
      part=$(printf '%s' "$signed" | jq '.parts[0]')
      length=$(printf '%s' "$part" | jq .size)
      # One line of curl's own configuration for each of the part's headers.
      headers=$(printf '%s' "$part" | field '.headers | to_entries[] | "header = " + ("\(.key): \(.value)" | tojson)')
      answer=$(bytes $(((number - 1) * each)) "$length" |
        quiet --fail-with-body --request "$(printf '%s' "$part" | field .method)" --config /dev/fd/3 \
          --header 'Transfer-Encoding:' --header "Content-Length: $length" \
          --upload-file - "$(printf '%s' "$part" | field .url)" 3<<HEADERS
$headers
HEADERS
      )
    fi
    keep "$(jq --arg number "$number" --arg answer "$answer" '.answers[$number] = $answer' "$state")"
  fi
  number=$((number + 1))
done

complete=$(jq --argjson count $((number - 1)) \
  '{ receipt: .direct.complete.receipt, answers: [range(1; $count + 1) as $n | .answers["\($n)"]] }' "$state")
completeUrl=${url%%/api/storage/*}$(field .direct.complete.url "$state")
# 423: the file is being checked, which takes several requests if it is large.
while answer=$(quiet --write-out '\n%{http_code}' --header 'Content-Type: application/json' --data "$complete" "$completeUrl") &&
  [ "$(printf '%s' "$answer" | tail -n 1)" = 423 ]; do sleep 1; done
printf '%s\n' "$answer" | sed '$d'
[ "$(printf '%s' "$answer" | tail -n 1)" = 200 ] || exit 22
rm -f "$state"
