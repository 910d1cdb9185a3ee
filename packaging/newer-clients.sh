# Sourced by ./check: clients that are newer than this Debian has, from a later Debian, unpacked aside. Nothing of it is
# installed, and apt's own configuration and lists stay as they are. What cannot be had is said; its tests are skipped.
newer_place=/var/cache/cleat-newer-clients
newer_release=trixie
newer_packages='docker-buildx docker-compose'

newer_clients() {
  plugins=$newer_place/root/usr/libexec/docker/cli-plugins
  [ -x "$plugins/docker-buildx" ] && [ -x "$plugins/docker-compose" ] && return 0
  say "Fetching clients of Debian $newer_release: $newer_packages"
  if said=$(fetch_newer_clients 2>&1); then return 0; fi
  printf '    not to be had: %s of Debian %s (%s); tests that need them are skipped\n' "$newer_packages" "$newer_release" \
    "$(printf '%s\n' "$said" | grep -m1 '^E:' || printf '%s\n' "$said" | tail -n 1)"
}

# A mirror that does not answer, or hardly, costs minutes at most. What was unpacked is there whole, or not at all.
fetch_newer_clients() {
  command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || { echo 'E: this is no Debian'; return 1; }
  new=$newer_place/new
  rm -rf "$new" && mkdir -p "$new/lists/partial" "$new/cache/archives/partial" "$new/deb" "$new/root" || return 1
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$(debian_mirror)" "$newer_release" >"$new/sources.list"
  cat >"$new/apt.conf" <<EOF
Dir::Etc::sourcelist "$new/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$new/lists";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$new/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
EOF
  APT_CONFIG=$new/apt.conf timeout 120 apt-get update -q </dev/null || { echo 'E: apt-get update failed'; return 1; }
  # shellcheck disable=SC2086
  (cd "$new/deb" && APT_CONFIG=$new/apt.conf timeout 300 apt-get download -q $newer_packages </dev/null) ||
    { echo 'E: apt-get download failed'; return 1; }
  for deb in "$new"/deb/*.deb; do dpkg -x "$deb" "$new/root" || return 1; done
  rm -rf "$newer_place/root" && mv "$new/root" "$newer_place/root" && rm -rf "$new"
}

# The mirror that this machine uses, which it reaches.
debian_mirror() {
  found=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1)
  printf '%s' "${found:-http://deb.debian.org/debian}"
}
