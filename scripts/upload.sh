#!/bin/sh
# Uploads a file of any size with curl and jq, straight to the blob store where that takes it:
#
#   scripts/upload.sh "$UPLOAD_URL" film.mp4 video/mp4      → {"storageId":"…"}
#
# UPLOAD_URL is what `generateUploadUrl` answers.
set -eu
url=$1 file=$2 type=${3:-}
size=$(wc -c < "$file" | tr -d ' ')

post() { curl --silent --show-error --fail-with-body --header 'Content-Type: application/json' --data "$2" "$1"; }

announced=$(jq --null-input --argjson size "$size" --arg contentType "$type" '$ARGS.named')
direct=$(post "$(printf '%s' "$url" | sed 's/?/\/direct?/')" "$announced" | jq .direct)

if [ "$direct" = null ]; then
  exec curl --silent --show-error --fail-with-body --header "Content-Type: $type" --data-binary "@$file" "$url"
fi

answers='[]' offset=0 number=0
count=$(printf '%s' "$direct" | jq '.parts | length')
while [ "$number" -lt "$count" ]; do
  part=$(printf '%s' "$direct" | jq ".parts[$number]")
  length=$(printf '%s' "$part" | jq .size)
  # One line of curl's own configuration for each of the part's headers.
  headers=$(printf '%s' "$part" | jq --raw-output '.headers | to_entries[] | "header = " + ("\(.key): \(.value)" | tojson)')
  answer=$(tail -c +$((offset + 1)) "$file" | head -c "$length" |
    curl --silent --show-error --fail-with-body --request "$(printf '%s' "$part" | jq --raw-output .method)" \
      --config /dev/fd/3 --header 'Transfer-Encoding:' --header "Content-Length: $length" \
      --upload-file - "$(printf '%s' "$part" | jq --raw-output .url)" 3<<HEADERS
$headers
HEADERS
  )
  answers=$(printf '%s' "$answers" | jq --arg answer "$answer" '. + [$answer]')
  offset=$((offset + length)) number=$((number + 1))
done

complete=$(printf '%s' "$direct" | jq --argjson answers "$answers" '{ receipt: .complete.receipt, $answers }')
post "${url%%/api/storage/*}$(printf '%s' "$direct" | jq --raw-output .complete.url)" "$complete"
