# Completion of cleat for bash; made from the table of cleat's options by npm run docs.
_cleat() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
  case ${COMP_CWORD}:${COMP_WORDS[1]} in
    1:*) words='doctor extensions log-drivers networks hooks authz audit proxy record replay sweep create package plugins verify help --version --help' ;;
    2:help) words='doctor extensions log-drivers networks hooks authz audit proxy record replay sweep create package plugins verify' ;;
    *:doctor) words='--json -h --help' ;;
    *:extensions) words='ls inspect logs -H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --json --format --kind -f --follow -n --tail -h --help' ;;
    *:log-drivers) words='-H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --json -h --help' ;;
    *:networks) words='map -H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey -a --all --svg -o --output --json -h --help' ;;
    *:hooks) words='list trace test -H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --json -f --follow -n --tail --id --route --caller -h --help' ;;
    *:authz) words='explain check actions -H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --policy --form --as --json -h --help' ;;
    *:audit) words='-H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --since --until --user --container --method --route --status --denied --decision --id -n --last -f --follow --json --data-root -h --help' ;;
    *:proxy) words='--upstream --upstream-tls --upstream-tlsverify --upstream-tlscacert --upstream-tlscert --upstream-tlskey --unknown-routes -H --host -G --group --tls --tlsverify --tlscacert --tlscert --tlskey --insecure-tcp --hooks --authorization-plugin --plugin-dir --extension --extension-manifest --audit --audit-opt --config-file --data-root --exec-root -p --pidfile -D --debug -l --log-level --log-format -h --help' ;;
    *:record) words='--listen --in-place --put-back --output --redact --no-redact -h --help' ;;
    *:replay) words='--serve --any-order --timing --ignore --speed --json -h --help' ;;
    *:sweep) words='--data-root --exec-root -h --help' ;;
    *:create) words='--kind --js --name --packages -h --help' ;;
    *:package) words='--push -o --output --platform --runtime --kind --name --program --manifest --rootfs --sign --no-cache --insecure-registry -q --quiet -h --help' ;;
    *:plugins) words='search index sign save load keygen -H --host -c --context --tls --tlsverify --tlscacert --tlscert --tlskey --index --key --kind --offline --format -o --output --push --publisher --from --sign --insecure-registry -h --help' ;;
    *:verify) words='--read-only --start --elsewhere --opt --ipam-opt --ipam-driver --only --skip --timeout --plugin-dir --strict --format -o --output -v --verbose --list -h --help -H --host' ;;
  esac
  case $before in
    --tlscacert | --tlscert | --tlskey | -o | --output | --data-root | --plugin-dir | --exec-root | --packages)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    -H | --host | -c | --context | --format | --kind | -n | --tail | --id | --route | --caller | --policy | --form | --as | --since | --until | --user | --container | --method | --status | --decision | --last | --upstream | --upstream-tlscacert | --upstream-tlscert | --upstream-tlskey | --unknown-routes | -G | --group | --hooks | --authorization-plugin | --extension | --extension-manifest | --audit-opt | --config-file | -p | --pidfile | -l | --log-level | --log-format | --listen | --redact | --serve | --ignore | --speed | --name | --push | --platform | --runtime | --program | --manifest | --sign | --insecure-registry | --index | --key | --publisher | --from | --start | --opt | --ipam-opt | --ipam-driver | --only | --skip | --timeout)
      COMPREPLY=()
      return
      ;;
  esac
  if [[ $word == -* || $COMP_CWORD == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; compgen -f -- "$word")
  fi
}
complete -F _cleat cleat
