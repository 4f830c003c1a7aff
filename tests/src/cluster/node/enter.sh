# Runs a program in the files of a container. Called as
#   unshare --mount sh -c "$(cat enter.sh)" sh TOP FOLDER [SOURCE PATH ro|rw]... -- PROGRAM [ARGUMENT]...
# TOP is an empty folder. The container sees this machine's files, writes into memory, and has volumes where it mounts them.
set -eu
top=$1
folder=$2
shift 2
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
for system in /proc /sys /dev; do
  mount --rbind "$system" "$top/root$system"
done
while [ "$1" != -- ]; do
  # Paths are the container's own: links such as /var/run must not lead out of it.
  path=$(chroot "$top/root" realpath -m "$2")
  if [ -d "$1" ]; then
    chroot "$top/root" mkdir -p "$path"
  else
    chroot "$top/root" mkdir -p "${path%/*}"
    chroot "$top/root" touch "$path"
  fi
  mount --bind "$1" "$top/root$path"
  [ "$3" = rw ] || mount -o remount,bind,ro "$top/root$path"
  shift 3
done
shift
exec chroot "$top/root" env -C "$folder" "$@"
