#!/bin/busybox sh
# First program of the guest: this machine's files, read-only under a layer in memory, become its root.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /lower /layer /new
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 host /lower
mount -t tmpfs -o size=60% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work root /new
for point in proc sys dev; do mount --move /$point /new/$point; done
repository=$(sed -n 's/.*uvs\.repository=\([^ ]*\).*/\1/p' /new/proc/cmdline)
exec switch_root /new /bin/bash "$repository/scripts/kernels/guest.sh"
