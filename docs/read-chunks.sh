#!/bin/sh
# Writes the archive of one copy of an image that lies in a deduplicating volume to standard output:
#
#   read-chunks.sh VOLUME IMAGE COPY | tar -x
#
# VOLUME is the volume's folder (docs/formats.md, "Chunks"). Needs sh, zstd, awk, od, dd and mktemp, and
# in $TMPDIR room for what the containers hold that it needs.
set -eu
volume=$1 image=$2 copy=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The recipes of the sealed fragments, in order. Two with one number are nothing to guess at.
before=
for recipe in "$volume/images/$image/c$copy"/*.recipe.zst; do
  [ -e "${recipe%.recipe.zst}.json" ] || continue
  number=$(basename "$recipe" | cut -c1-5)
  if [ "$number" = "$before" ]; then
    echo "two fragments bear number $number: move away the one that is not ACTIVE" >&2
    exit 1
  fi
  before=$number
  zstd -dcq "$recipe" > "$work/$number.recipe"
done
[ -n "$before" ] || { echo "no sealed fragment of $image lies there" >&2; exit 1; }
cut -f 1 "$work"/*.recipe | grep -v '^holdfast' | sort -u > "$work/needed"

# Where the chunks are that it needs: domain and id, container, place in what that decompresses to.
for container in "$volume"/chunks/??/*.chunks; do
  domain=$(tail -c +9 "$container" | head -n 1 | cut -f 3)
  chunks=$(tail -c 44 "$container" | head -c 4 | od -An -v -tu1 |
    awk '{ print $1 + 256 * ($2 + 256 * ($3 + 256 * $4)) }')
  tail -c $((48 + 36 * chunks)) "$container" | head -c $((36 * chunks)) | od -An -v -tx1 -w36 |
    awk -v container="$container" -v domain="$domain" '
      function value(hex) { return 16 * index(digits, substr(hex, 1, 1)) + index(digits, substr(hex, 2, 1)) - 17 }
      BEGIN { digits = "0123456789abcdef"; OFS = "\t" }
      FILENAME != "-" { needed[$1] = 1; next }
      { id = ""; for (at = 1; at <= 32; at++) id = id $at
        if (id in needed) print domain " " id, container, place
        place += value($33) + 256 * (value($34) + 256 * (value($35) + 256 * value($36))) }' "$work/needed" -
done > "$work/places"

for recipe in "$work"/*.recipe; do
  # The recipe as runs of bytes that lie one behind the other in a container.
  awk -F '\t' '
    function flush() { if (container != "") printf "%.0f %.0f %s\n", from, to - from, container }
    FILENAME ~ /places$/ { if (!($1 in where)) { where[$1] = $2; start[$1] = $3 + 0 }; next }
    /^holdfast recipe/ { domain = $2; next }
    { chunk = domain " " $1 }
    !(chunk in where) { print "chunk " $1 " is not in the volume" > "/dev/stderr"; failed = 1; exit 1 }
    where[chunk] == container && start[chunk] == to { to += $2; next }
    { flush(); container = where[chunk]; from = start[chunk]; to = from + $2 }
    END { if (!failed) flush() }
  ' "$work/places" "$recipe" > "$work/runs"
  # Chunks are archive bytes, or (where the head says "-") the fragment's data, which are compressed.
  case $(head -n 1 "$recipe" | cut -f 3) in -) show="zstd -dcq" ;; *) show=cat ;; esac
  while read -r from bytes container; do
    plain=$work/$(basename "$container")
    [ -e "$plain" ] || zstd -dcq "$container" > "$plain"
    dd if="$plain" bs=1M iflag=skip_bytes,count_bytes skip="$from" count="$bytes" status=none
  done < "$work/runs" | $show
done
