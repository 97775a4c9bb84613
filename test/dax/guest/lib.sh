# Sourced by the scripts that run in the guest. Needs: checkout, tools (unpacked packages).
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NO_COLOR=1 HOME=/tmp
mkdir -p /mnt/pmem

say() { echo "@@ $(cut -d' ' -f1 /proc/uptime) $*"; }

make_xfs() { LD_LIBRARY_PATH="$tools/lib/x86_64-linux-gnu:$tools/usr/lib/x86_64-linux-gnu" "$tools/sbin/mkfs.xfs" "$@"; }

# make_file_system ext4|xfs DEVICE: 2 MiB extents; a small xfs log leaves room in small images.
make_file_system() {
  dd if=/dev/zero of="$2" bs=1M count=2 2>/dev/null
  case $1 in
    ext4) mkfs.ext4 -q -F -b 4096 "$2" ;;
    xfs) make_xfs -q -f -m reflink=0 -d su=2m,sw=1,agcount=2 -l size=64m "$2" ;;
    xfs-reflink) make_xfs -q -f -m reflink=1 -d su=2m,sw=1,agcount=2 -l size=64m "$2" ;;
  esac
}

# Block devices of the images, in the order of the machine's images: by physical address. Names follow another order.
image_devices() {
  for each in /sys/block/pmem*; do
    place=$(readlink -f "$each"/device)
    case $place in */virtio*) ;; *) echo "$(cat "$place"/resource) /dev/${each##*/}" ;; esac
  done | sort | cut -d' ' -f2
}

virtio_device() {
  for each in /sys/block/pmem*; do
    case $(readlink -f "$each"/device) in */virtio*) echo "/dev/${each##*/}" ;; esac
  done
}

# xfs ends what it has to write to its log within seconds, not within minutes. Needs the module.
hasten_xfs_log() { echo 100 >/proc/sys/fs/xfs/xfssyncd_centisecs; }

# mount_dax ext4|xfs DEVICE [FOLDER] [OPTION]
mount_dax() { mkdir -p "${3:-/mnt/pmem}" && mount -t "${1%-reflink}" -o "${4:-dax=always}" "$2" "${3:-/mnt/pmem}"; }
