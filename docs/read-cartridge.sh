#!/bin/sh
# Writes the fragments of one copy of an image that lie on cartridges to standard output, in order:
#
#   read-cartridge.sh IMAGE COPY CARTRIDGE... | zstd -d | tar -x
#
# A CARTRIDGE is a folder of a file library (docs/formats.md, "Sequential volumes"). Needs sh, awk, dd,
# sed and sort. On a tape, `mt fsf` and `dd bs=1M` do what the map and dd do here.
set -eu
image=$1 copy=$2
shift 2

part() { # FILE OFFSET BYTES
  dd if="$1" bs=65536 iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none
}

field() { # NAME, out of the JSON on standard input
  sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

for cartridge in "$@"; do
  map=$(ls "$cartridge"/*.blocks | sort | tail -n 1)
  data=${map%.blocks}.data
  # The first block behind a mark is a header; a file that has no mark at its end, or not as many bytes
  # as its header says, was not finished.
  awk -F '\t' '$2 == "mark" { if (head) printf "%s %.0f\n", head, rest; head = ""; first = 1; next }
               $2 == "block" && first { head = $3 " " $4; rest = 0; first = 0; next }
               $2 == "block" { rest += $4 }' "$map" |
    while read -r offset length rest; do
      header=$(part "$data" "$offset" "$length")
      [ "$(echo "$header" | field holdfast)" = fragment ] || continue
      [ "$(echo "$header" | field imageId)" = "$image" ] || continue
      [ "$(echo "$header" | field copy)" = "$copy" ] || continue
      number=$(echo "$header" | field number)
      bytes=$(echo "$header" | field dataBytes)
      index=$(echo "$header" | field indexBytes)
      manifest=$(echo "$header" | field manifestBytes)
      [ "$rest" -eq $((bytes + index + manifest)) ] || continue
      echo "$number $((offset + length)) $bytes $data"
    done
done | sort -n | while read -r number offset bytes data; do
  echo "fragment $number: $bytes bytes of $data" >&2
  part "$data" "$offset" "$bytes"
done
