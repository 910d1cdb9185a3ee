#compdef cleat
# Completion of cleat for zsh; made from the table of cleat's options by npm run docs.
if (( CURRENT == 2 )); then
  local -a commands=(
    'doctor:Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run'
    'extensions:Show the extensions that an engine knows\: state and why, health, calls, failures, what they say'
    'log-drivers:Show what log drivers have not got of what containers print, and what was dropped'
    'networks:Draw which container is on which network, with its addresses and published ports, as text or SVG'
    'hooks:Show the request hooks of an engine, which of them changed or refused what, and try a request on them'
    'authz:Say what a policy for authorization says to a request, and why; test a policy file'
    'audit:Show who asked an engine for what, who allowed or denied it, and what came of it'
    'proxy:Serve hooks, authorizers and the audit journal in front of another engine, such as a stock dockerd'
    'record:Write to a file what engines and a plugin say'
    'replay:Ask a plugin again what was recorded, or answer an engine in its stead'
    'sweep:Remove every trace of an engine that no longer runs\: containers, mounts, networks, both roots'
    'create:Make a new plugin of any kind, with a test that passes conformance'
    'package:Make a managed plugin of an npm project or a root file system, for docker plugin install'
    'plugins:Find managed plugins that others publish; sign your own, list them in an index, carry them without a registry'
    'verify:Test any Docker plugin through its socket\: its protocol, and what engines really do'
    'help:Tell more of a command'
  )
  _describe command commands
  compadd -- --version --help
elif [[ $words[2] == help ]]; then
  compadd -- doctor extensions log-drivers networks hooks authz audit proxy record replay sweep create package plugins verify
else
  local command=$words[2]
  # What follows the command is completed as if the command were the program.
  shift words
  (( CURRENT-- ))
  case $command in
    doctor)
      _arguments '*--json' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    extensions)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--json' \
        '*--format=:format:' \
        '*--kind=:kind:' \
        '*--follow' \
        '*-f' \
        '*--tail=:tail:' \
        '*-n+:tail:' \
        '*--help' \
        '*-h' \
        '1:verb:(ls inspect logs)' \
        '*:file:_files'
      ;;
    log-drivers)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--json' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    networks)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--all' \
        '*-a' \
        '*--svg' \
        '*--output=:output:_files' \
        '*-o+:output:_files' \
        '*--json' \
        '*--help' \
        '*-h' \
        '1:verb:(map)' \
        '*:file:_files'
      ;;
    hooks)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--json' \
        '*--follow' \
        '*-f' \
        '*--tail=:tail:' \
        '*-n+:tail:' \
        '*--id=:id:' \
        '*--route=:route:' \
        '*--caller=:caller:' \
        '*--help' \
        '*-h' \
        '1:verb:(list trace test)' \
        '*:file:_files'
      ;;
    authz)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--policy=:policy:' \
        '*--form=:form:' \
        '*--as=:as:' \
        '*--json' \
        '*--help' \
        '*-h' \
        '1:verb:(explain check actions)' \
        '*:file:_files'
      ;;
    audit)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--since=:since:' \
        '*--until=:until:' \
        '*--user=:user:' \
        '*--container=:container:' \
        '*--method=:method:' \
        '*--route=:route:' \
        '*--status=:status:' \
        '*--denied' \
        '*--decision=:decision:' \
        '*--id=:id:' \
        '*--last=:last:' \
        '*-n+:last:' \
        '*--follow' \
        '*-f' \
        '*--json' \
        '*--data-root=:data-root:_files' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    proxy)
      _arguments '*--upstream=:upstream:' \
        '*--upstream-tls' \
        '*--upstream-tlsverify' \
        '*--upstream-tlscacert=:upstream-tlscacert:' \
        '*--upstream-tlscert=:upstream-tlscert:' \
        '*--upstream-tlskey=:upstream-tlskey:' \
        '*--unknown-routes=:unknown-routes:' \
        '*--host=:host:' \
        '*-H+:host:' \
        '*--group=:group:' \
        '*-G+:group:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--insecure-tcp' \
        '*--hooks=:hooks:' \
        '*--authorization-plugin=:authorization-plugin:' \
        '*--plugin-dir=:plugin-dir:_files' \
        '*--extension=:extension:' \
        '*--extension-manifest=:extension-manifest:' \
        '*--audit' \
        '*--audit-opt=:audit-opt:' \
        '*--config-file=:config-file:' \
        '*--data-root=:data-root:_files' \
        '*--exec-root=:exec-root:_files' \
        '*--pidfile=:pidfile:' \
        '*-p+:pidfile:' \
        '*--debug' \
        '*-D' \
        '*--log-level=:log-level:' \
        '*-l+:log-level:' \
        '*--log-format=:log-format:' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    record)
      _arguments '*--listen=:listen:' \
        '*--in-place' \
        '*--put-back' \
        '*--output=:output:_files' \
        '*--redact=:redact:' \
        '*--no-redact' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    replay)
      _arguments '*--serve=:serve:' \
        '*--any-order' \
        '*--timing' \
        '*--ignore=:ignore:' \
        '*--speed=:speed:' \
        '*--json' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    sweep)
      _arguments '*--data-root=:data-root:_files' \
        '*--exec-root=:exec-root:_files' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    create)
      _arguments '*--kind=:kind:' \
        '*--js' \
        '*--name=:name:' \
        '*--packages=:packages:_files' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    package)
      _arguments '*--push=:push:' \
        '*--output=:output:_files' \
        '*-o+:output:_files' \
        '*--platform=:platform:' \
        '*--runtime=:runtime:' \
        '*--kind=:kind:' \
        '*--name=:name:' \
        '*--program=:program:' \
        '*--manifest=:manifest:' \
        '*--rootfs' \
        '*--sign=:sign:' \
        '*--no-cache' \
        '*--insecure-registry=:insecure-registry:' \
        '*--quiet' \
        '*-q' \
        '*--help' \
        '*-h' \
        '*:file:_files'
      ;;
    plugins)
      _arguments '*--host=:host:' \
        '*-H+:host:' \
        '*--context=:context:' \
        '*-c+:context:' \
        '*--tls' \
        '*--tlsverify' \
        '*--tlscacert=:tlscacert:_files' \
        '*--tlscert=:tlscert:_files' \
        '*--tlskey=:tlskey:_files' \
        '*--index=:index:' \
        '*--key=:key:' \
        '*--kind=:kind:' \
        '*--offline' \
        '*--format=:format:' \
        '*--output=:output:_files' \
        '*-o+:output:_files' \
        '*--push=:push:' \
        '*--publisher=:publisher:' \
        '*--from=:from:' \
        '*--sign=:sign:' \
        '*--insecure-registry=:insecure-registry:' \
        '*--help' \
        '*-h' \
        '1:verb:(search index sign save load keygen)' \
        '*:file:_files'
      ;;
    verify)
      _arguments '*--read-only' \
        '*--start=:start:' \
        '*--elsewhere' \
        '*--opt=:opt:' \
        '*--ipam-opt=:ipam-opt:' \
        '*--ipam-driver=:ipam-driver:' \
        '*--only=:only:' \
        '*--skip=:skip:' \
        '*--timeout=:timeout:' \
        '*--plugin-dir=:plugin-dir:_files' \
        '*--strict' \
        '*--format=:format:' \
        '*--output=:output:_files' \
        '*-o+:output:_files' \
        '*--verbose' \
        '*-v' \
        '*--list' \
        '*--help' \
        '*-h' \
        '*--host=:host:' \
        '*-H+:host:' \
        '*:file:_files'
      ;;
  esac
fi
