#compdef cleat
# Completion of cleat for zsh; made from the table of cleat's options by npm run docs.
if (( CURRENT == 2 )); then
  local -a commands=(
    'doctor:Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run'
    'extensions:Show the extensions that an engine knows\: state and why, health, calls, failures, what they say'
    'log-drivers:Show what log drivers have not got of what containers print, and what was dropped'
    'record:Write to a file what engines and a plugin say'
    'replay:Ask a plugin again what was recorded, or answer an engine in its stead'
    'sweep:Remove every trace of an engine that no longer runs\: containers, mounts, networks, both roots'
    'create:Make a new plugin of any kind, with a test that passes conformance'
    'verify:Test any Docker plugin through its socket\: its protocol, and what engines really do'
  )
  _describe command commands
else
  case $words[2] in
    doctor) compadd -- --json --help ;;
    extensions) compadd -- ls inspect logs --json --kind --follow --tail --host --context --tls --tlsverify --tlscacert --tlscert --tlskey --help ;;
    log-drivers) compadd -- --json --host --context --tls --tlsverify --tlscacert --tlscert --tlskey --help ;;
    record) compadd -- --listen --in-place --put-back --output --redact --no-redact --help ;;
    replay) compadd -- --serve --any-order --timing --ignore --speed --json --help ;;
    sweep) compadd -- --data-root --exec-root --help ;;
    create) compadd -- --kind --js --name --packages --help ;;
    verify) compadd -- --read-only --start --elsewhere --opt --only --skip --timeout --plugin-dir --strict --format --output --verbose --list --help ;;
  esac
  _files
fi
