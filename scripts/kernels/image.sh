#!/usr/bin/env bash
# image.sh PACKAGE FOLDER: downloads a kernel package of Debian (never installs it), unpacks it into FOLDER and makes the
# initial file system with which QEMU boots it over this machine's files. Says nothing when FOLDER is complete.
set -euo pipefail
package=$1 folder=$2 here=$(cd "$(dirname "$0")" && pwd)
[ ! -e "$folder/initrd.gz" ] || exit 0
rm -rf "$folder"
mkdir -p "$folder/root/bin" "$folder/root/modules"
cd "$folder"
apt-get download "$package" 2>&1
dpkg-deb -x ./*.deb unpacked
rm ./*.deb
# Newer packages have everything below usr/.
modules=$(find unpacked -path '*/lib/modules/*' -prune | head -n 1)
release=$(basename "$modules")
base=${modules%/lib/modules/*}
depmod -b "$base" "$release"
ln -s "$(cd "$modules" && pwd)" modules
ln -s "$(find "$PWD/unpacked" -name "vmlinuz-$release")" vmlinuz

cp "$(command -v busybox)" root/bin/busybox
# What it takes to reach this machine's files, each behind what it needs.
for module in virtio_pci 9pnet_virtio 9p overlay; do
  modprobe -d "$base" -S "$release" --show-depends "$module" | sed -n 's/^insmod //p'
done | awk '!seen[$1]++ { print $1 }' | while read -r file; do
  name=$(basename "$file" .xz)
  case $file in
    *.xz) busybox unxz -c "$file" >"root/modules/$name" ;;
    *) cp "$file" root/modules/ ;;
  esac
  echo "$name" >>root/modules/order
done
install -m 755 "$here/init.sh" root/init
(cd root && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd.new
mv initrd.new initrd.gz
