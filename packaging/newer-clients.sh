# Sourced by ./check: clients that are newer than this Debian has, from a later Debian, unpacked aside. Nothing of it is
# installed, and apt's own configuration and lists stay as they are. What cannot be had is said; its tests are skipped.
newer_root=/var/cache/cleat-newer-clients
newer_release=trixie
newer_packages='docker-buildx docker-compose'

newer_clients() {
  plugins=$newer_root/root/usr/libexec/docker/cli-plugins
  [ -x "$plugins/docker-buildx" ] && [ -x "$plugins/docker-compose" ] && return 0
  say "Fetching clients of Debian $newer_release: $newer_packages"
  if fetch_newer_clients >"${TMPDIR:-/tmp}/cleat-newer-clients.log" 2>&1; then return 0; fi
  printf '    not to be had: %s of Debian %s (%s); tests that need them are skipped\n' "$newer_packages" "$newer_release" \
    "$(grep -m1 '^E:' "${TMPDIR:-/tmp}/cleat-newer-clients.log" || echo "see ${TMPDIR:-/tmp}/cleat-newer-clients.log")"
}

fetch_newer_clients() {
  command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || { echo 'E: this is no Debian'; return 1; }
  mkdir -p "$newer_root/lists/partial" "$newer_root/cache/archives/partial" "$newer_root/deb" "$newer_root/root" || return 1
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$(debian_mirror)" "$newer_release" >"$newer_root/sources.list"
  cat >"$newer_root/apt.conf" <<EOF
Dir::Etc::sourcelist "$newer_root/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$newer_root/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$newer_root/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
EOF
  APT_CONFIG=$newer_root/apt.conf apt-get update -q </dev/null || return 1
  # shellcheck disable=SC2086
  (cd "$newer_root/deb" && APT_CONFIG=$newer_root/apt.conf apt-get download -q $newer_packages </dev/null) || return 1
  for deb in "$newer_root"/deb/*.deb; do dpkg -x "$deb" "$newer_root/root" || return 1; done
  rm -rf "$newer_root/lists" "$newer_root/cache" "$newer_root/deb"
}

# The mirror that this machine uses, which it reaches.
debian_mirror() {
  found=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  printf '%s' "${found:-http://deb.debian.org/debian}"
}
