# Sourced by ./check: firewalld and the D-Bus that it needs, unpacked aside. If it were installed, it would guard this machine
# from its next boot on. A test lays it over /usr and /etc of a mount namespace of its own.
firewalld_place=/var/cache/cleat-firewalld

firewalld_aside() {
  [ -x /usr/sbin/firewalld ] || [ -x "$firewalld_place/root/usr/sbin/firewalld" ] && return 0
  say 'Fetching firewalld, for a test; it is not installed'
  if said=$(fetch_firewalld 2>&1); then return 0; fi
  printf '    not to be had: firewalld (%s); the test that needs it is skipped\n' \
    "$(printf '%s\n' "$said" | grep -m1 '^E:' || printf '%s\n' "$said" | tail -n 1)"
}

# With all that it depends on and that this machine has not got. What was unpacked is there whole, or not at all.
fetch_firewalld() {
  command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || { echo 'E: this is no Debian'; return 1; }
  new=$firewalld_place/new
  rm -rf "$new" && mkdir -p "$new/archives/partial" "$new/root" || return 1
  timeout 300 apt-get install -q -y --download-only --no-install-recommends \
    -o "Dir::Cache::archives=$new/archives" firewalld dbus </dev/null || { echo 'E: apt-get failed'; return 1; }
  for deb in "$new"/archives/*.deb; do dpkg -x "$deb" "$new/root" || return 1; done
  rm -rf "$firewalld_place/root" && mv "$new/root" "$firewalld_place/root" && rm -rf "$new"
}
