# Sourced by ./try and ./check, with $root set: brings this checkout to where it can run. Every step looks first and
# does only what is missing, so that it may be run again and again. Asks nothing.

say() { printf '==> %s\n' "$*"; }
stop() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  for line in "$@"; do printf '    %s\n' "$line" >&2; done
  exit 1
}

need_root() {
  [ "$(uname -s)" = Linux ] || stop 'containers need Linux' "this is $(uname -s)"
  [ "$(id -u)" = 0 ] && return 0
  # With this PATH, since sudo takes one of its own, where a Node.js of a home directory is not found.
  if command -v sudo >/dev/null 2>&1; then stop 'containers need root' "run: sudo env \"PATH=\$PATH\" $0"; fi
  stop 'containers need root, and there is no sudo here' "become root (su -), then run: $(readlink -f "$0")"
}

need_node() {
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || without_node 'Node.js 20.19 or later and npm are needed'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    without_node "Node.js 20.19 or later is needed, this is $(node --version) ($(command -v node))"
}

# Debian 13 has Node.js 20 and npm. Debian 12 has Node.js 18, so its package would only lead to the next refusal.
without_node() {
  version=$(. /etc/os-release 2>/dev/null && [ "$ID" = debian ] && echo "${VERSION_ID:-}")
  if [ "${version:-0}" -ge 13 ] 2>/dev/null; then
    stop "$1" 'apt-get install nodejs npm' 'or get them from https://nodejs.org/en/download'
  fi
  stop "$1" 'get them from https://nodejs.org/en/download (the archive for Linux, unpacked into /usr/local, is enough),' \
    'or as a package from https://github.com/nodesource/distributions (node_20.x)' \
    'Debian has a new enough nodejs from Debian 13 on; that of Debian 12 is 18'
}

# What makes a directory a root that an engine can run in.
chroot_mounts='    cd DIRECTORY && mount --bind . . && cd "$PWD" && for d in proc sys dev; do mount --rbind /$d $d; done'

need_mounts() {
  for pair in /proc:/proc/self/exe /sys:/sys/class/net "/sys/fs/cgroup:/sys/fs/cgroup/*" /dev:/dev/null; do
    # shellcheck disable=SC2086
    set -- ${pair#*:}
    [ -e "$1" ] || stop "${pair%%:*} is not mounted here: is this a chroot?" \
      'outside of it, with its path for DIRECTORY:' "$chroot_mounts"
  done
}

# Can namespaces be made at all? Inside a container without privileges they cannot.
need_namespaces() {
  said=$(unshare --mount --net --pid --ipc --uts --fork true 2>&1) && return 0
  case $said in
    # A new mount namespace can be made, but its root is no mount point: a directory that somebody called chroot on.
    *'root filesystem propagation'*)
      stop "mounts cannot be made here: this is a plain chroot, and its root directory is not a mount point ($said)" \
        'outside of it, with its path for DIRECTORY, and then chroot again:' "$chroot_mounts" \
        'or use a virtual machine' ;;
  esac
  stop "namespaces cannot be made here: $said" \
    'inside a container, start that container with --privileged' 'else run on a machine where root is not restricted'
}

# What each package is needed for: COMMAND-OR-FILE:PACKAGE words.
runtime_packages='conmon:conmon runc:runc ip:iproute2 nft:nftables busybox:busybox-static tini-static:tini tar:tar ps:procps
/usr/share/containers/seccomp.json:golang-github-containers-common'

present() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing_packages() {
  for pair in $1; do present "${pair%%:*}" || printf '%s ' "${pair#*:}"; done
}

# Installing a daemon's package would start that daemon; this keeps every service where it is while apt runs.
without_services() {
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  trap 'exit 130' INT TERM
  "$@"
  result=$?
  rm -f "$policy"
  trap - EXIT INT TERM
  return $result
}

apt_install() {
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $1 </dev/null
}

# $1: pairs as above; $2: yes when the absence of a package must stop us.
install_packages() {
  wanted=$(missing_packages "$1")
  [ -n "$wanted" ] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    { report_missing "$wanted" "$2" 'this is no Debian: install what corresponds to these packages'; return; }
  say "Installing Debian packages: $wanted"
  without_services apt_install "$wanted" >/var/log/cleat-apt.log 2>&1 && return 0
  { apt-get update -q </dev/null && without_services apt_install "$wanted"; } >/var/log/cleat-apt.log 2>&1 && return 0
  # One package that cannot be had should not keep the others away.
  for package in $wanted; do without_services apt_install "$package" >>/var/log/cleat-apt.log 2>&1; done
  wanted=$(missing_packages "$1")
  [ -z "$wanted" ] || report_missing "$wanted" "$2" "$(grep -m1 '^E:' /var/log/cleat-apt.log || echo 'see /var/log/cleat-apt.log')"
}

report_missing() {
  if [ "$2" = yes ]; then
    stop "these packages are needed and cannot be installed: $1" "$3" "install them by hand, then run $0 again"
  fi
  printf '    not to be had: %s(%s); tests that need them are skipped\n' "$1" "$3"
}

install_modules() {
  lock=$(cksum <"$root/package-lock.json")
  [ "$(cat "$root/node_modules/.cleat-lock" 2>/dev/null)" = "$lock" ] && return 0
  say 'Installing Node modules (npm ci)'
  # A mirror that lacks packages of other platforms makes `npm ci` refuse; `npm install` takes the same versions.
  (cd "$root" && { npm ci --no-audit --no-fund --loglevel=error ||
    { can_grow && npm install --no-save --no-audit --no-fund --loglevel=error; }; } </dev/null) ||
    stop_unless_grows 'npm ci failed' 'npm says why above;' 'the npm registry must be reachable for the first set-up (npm config get registry)'
  printf '%s' "$lock" >"$root/node_modules/.cleat-lock"
}

# Can as much as a set-up may need at once be written into this checkout?
can_grow() { can_write && free=$(df -k --output=avail "$root" | tail -n 1) && [ "$free" -ge 102400 ]; }
can_write() { (: >"$root/.cleat-probe") 2>/dev/null && rm -f "$root/.cleat-probe"; }

# The real cause of what failed, where it is the disk; else what is said here.
stop_unless_grows() {
  can_write || stop "$1: nothing can be written into $root" 'it is read-only, or its disk is full: copy it to where there is room, and run it there'
  can_grow || stop "$1: only $((free / 1024)) MiB are free in $root" 'set-up takes about 300 MiB: make room, or move this checkout'
  stop "$@"
}

build() {
  say 'Building'
  (cd "$root" && npm run --silent build) || stop_unless_grows 'the build failed'
}

set_up() {
  need_root
  need_node
  install_packages "$runtime_packages" yes
  need_namespaces
  need_mounts
  install_modules
  build
}
