# Sourced by the launchers beside it, which set root and name: sets main to the module of the program NAME. It is the one in
# the bundle (packaging/bundle.mjs), which loads faster, unless something was built since.
main=$root/cli/dist/$name/main.js
if [ ! -f "$main" ]; then
  echo "$name: not built yet: run $root/try --setup, or npm ci && npm run build in $root" >&2
  exit 1
fi
bundle=$root/cli/dist/bundle/$name.js
if [ -f "$bundle" ]; then
  main=$bundle
  for built in "$root"/*/dist/.tsbuildinfo; do
    [ "$built" -nt "$bundle" ] && main=$root/cli/dist/$name/main.js
  done
fi
