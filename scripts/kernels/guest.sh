#!/bin/bash
# Process 1 of the guest: makes what a machine has, runs the checks with their output on the second serial line, ends
# with a line `exit CODE` and switches off.
for word in $(</proc/cmdline); do
  case $word in
    uvs.repository=*) repository=${word#*=} ;;
    uvs.modules=*) modules=${word#*=} ;;
    uvs.path=*) export PATH=${word#*=} ;;
  esac
done
export HOME=/root TERM=dumb LANG=C.UTF-8
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /run/netns "/lib/modules/$(uname -r)"
mount --bind "$modules" "/lib/modules/$(uname -r)"
ln -sf /proc/self/fd /dev/fd
ip link set lo up
ulimit -l unlimited
cd "$repository" && node --import tsx scripts/kernels/checks.ts
echo "exit $?"
echo o >/proc/sysrq-trigger
while :; do read -r -t 60 <>/dev/ttyS0; done
