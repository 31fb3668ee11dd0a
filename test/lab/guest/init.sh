#!/bin/sh
# The first process of the guest. Its root is the host's, read-only; what it writes goes to memory, and to two disks:
# ubda is the volume with the fragments and its journal, ubdb everything else of the data folder.
set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/tmp /run/disk /dev/shm
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
echo lab >/proc/sys/kernel/hostname

# Nothing is written to a disk because time has passed: what was not synced is lost.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
echo 360000 >/proc/sys/vm/dirty_expire_centisecs
echo 80 >/proc/sys/vm/dirty_background_ratio
echo 90 >/proc/sys/vm/dirty_ratio
mount -t ext4 /dev/ubdb /run/disk
if [ "$lab_filesystem" != none ]; then
  mount -t "$lab_filesystem" -o "$lab_options" /dev/ubda /run/disk/data/media
  # The first time: what the set-up left for it.
  if [ ! -e /run/disk/data/media/main ]; then
    cp -a /run/disk/seed/. /run/disk/data/media/
    sync
  fi
fi

cd /run
stty -F /dev/ttyS0 raw -echo
exec </dev/ttyS0 >/dev/ttyS0
# A child, not this process: whoever is the first one has to bury what others leave.
"$lab_node" "$lab_driver"
