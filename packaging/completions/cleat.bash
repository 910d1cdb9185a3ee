# Completion of cleat for bash; made from the table of cleat's options by npm run docs.
_cleat() {
  local word=${COMP_WORDS[COMP_CWORD]} words
  case ${COMP_CWORD}:${COMP_WORDS[1]} in
    1:*) words='doctor extensions log-drivers record replay sweep create verify help --version --help' ;;
    *:doctor) words='--json --help' ;;
    *:extensions) words='ls inspect logs --json --kind --follow --tail --host --context --tls --tlsverify --tlscacert --tlscert --tlskey --help' ;;
    *:log-drivers) words='--json --host --context --tls --tlsverify --tlscacert --tlscert --tlskey --help' ;;
    *:record) words='--listen --in-place --put-back --output --redact --no-redact --help' ;;
    *:replay) words='--serve --any-order --timing --ignore --speed --json --help' ;;
    *:sweep) words='--data-root --exec-root --help' ;;
    *:create) words='--kind --js --name --packages --help' ;;
    *:verify) words='--read-only --start --elsewhere --opt --only --skip --timeout --plugin-dir --strict --format --output --verbose --list --help' ;;
  esac
  if [[ $word == -* || $COMP_CWORD == 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; compgen -f -- "$word")
  fi
}
complete -F _cleat cleat
