# Completion of cleat for fish; made from the table of cleat's options by npm run docs.
complete -c cleat -n __fish_use_subcommand -f -a help -d 'Tell more of a command'
complete -c cleat -n __fish_use_subcommand -l version
complete -c cleat -n __fish_use_subcommand -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a doctor -d 'Say what this host can and cannot do, and how to fix it; exit 1 if containers cannot run'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a doctor
complete -c cleat -n '__fish_seen_subcommand_from doctor' -l json
complete -c cleat -n '__fish_seen_subcommand_from doctor' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a extensions -d 'Show the extensions that an engine knows: state and why, health, calls, failures, what they say'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a extensions
complete -c cleat -n '__fish_seen_subcommand_from extensions' -a ls
complete -c cleat -n '__fish_seen_subcommand_from extensions' -a inspect
complete -c cleat -n '__fish_seen_subcommand_from extensions' -a logs
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tls
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l json
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l format -x
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l kind -x
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l follow -s f
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l tail -s n -x
complete -c cleat -n '__fish_seen_subcommand_from extensions' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a log-drivers -d 'Show what log drivers have not got of what containers print, and what was dropped'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a log-drivers
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l tls
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l json
complete -c cleat -n '__fish_seen_subcommand_from log-drivers' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a networks -d 'Draw which container is on which network, with its addresses and published ports, as text or SVG'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a networks
complete -c cleat -n '__fish_seen_subcommand_from networks' -a map
complete -c cleat -n '__fish_seen_subcommand_from networks' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from networks' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from networks' -l tls
complete -c cleat -n '__fish_seen_subcommand_from networks' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from networks' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from networks' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from networks' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from networks' -l all -s a
complete -c cleat -n '__fish_seen_subcommand_from networks' -l svg
complete -c cleat -n '__fish_seen_subcommand_from networks' -l output -s o -r -F
complete -c cleat -n '__fish_seen_subcommand_from networks' -l json
complete -c cleat -n '__fish_seen_subcommand_from networks' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a hooks -d 'Show the request hooks of an engine, which of them changed or refused what, and try a request on them'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a hooks
complete -c cleat -n '__fish_seen_subcommand_from hooks' -a list
complete -c cleat -n '__fish_seen_subcommand_from hooks' -a trace
complete -c cleat -n '__fish_seen_subcommand_from hooks' -a test
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tls
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l json
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l follow -s f
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l tail -s n -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l id -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l route -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l caller -x
complete -c cleat -n '__fish_seen_subcommand_from hooks' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a authz -d 'Say what a policy for authorization says to a request, and why; test a policy file'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a authz
complete -c cleat -n '__fish_seen_subcommand_from authz' -a explain
complete -c cleat -n '__fish_seen_subcommand_from authz' -a check
complete -c cleat -n '__fish_seen_subcommand_from authz' -a actions
complete -c cleat -n '__fish_seen_subcommand_from authz' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from authz' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from authz' -l tls
complete -c cleat -n '__fish_seen_subcommand_from authz' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from authz' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from authz' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from authz' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from authz' -l policy -x
complete -c cleat -n '__fish_seen_subcommand_from authz' -l form -x
complete -c cleat -n '__fish_seen_subcommand_from authz' -l as -x
complete -c cleat -n '__fish_seen_subcommand_from authz' -l json
complete -c cleat -n '__fish_seen_subcommand_from authz' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a audit -d 'Show who asked an engine for what, who allowed or denied it, and what came of it'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a audit
complete -c cleat -n '__fish_seen_subcommand_from audit' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l tls
complete -c cleat -n '__fish_seen_subcommand_from audit' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from audit' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from audit' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from audit' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from audit' -l since -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l until -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l user -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l container -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l method -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l route -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l status -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l denied
complete -c cleat -n '__fish_seen_subcommand_from audit' -l decision -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l id -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l last -s n -x
complete -c cleat -n '__fish_seen_subcommand_from audit' -l follow -s f
complete -c cleat -n '__fish_seen_subcommand_from audit' -l json
complete -c cleat -n '__fish_seen_subcommand_from audit' -l data-root -r -F
complete -c cleat -n '__fish_seen_subcommand_from audit' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a proxy -d 'Serve hooks, authorizers and the audit journal in front of another engine, such as a stock dockerd'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a proxy
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream-tls
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream-tlsverify
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream-tlscacert -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream-tlscert -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l upstream-tlskey -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l unknown-routes -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l group -s G -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l tls
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l insecure-tcp
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l hooks -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l authorization-plugin -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l plugin-dir -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l extension -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l extension-manifest -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l audit
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l audit-opt -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l config-file -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l data-root -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l exec-root -r -F
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l pidfile -s p -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l debug -s D
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l log-level -s l -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l log-format -x
complete -c cleat -n '__fish_seen_subcommand_from proxy' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a record -d 'Write to a file what engines and a plugin say'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a record
complete -c cleat -n '__fish_seen_subcommand_from record' -l listen -x
complete -c cleat -n '__fish_seen_subcommand_from record' -l in-place
complete -c cleat -n '__fish_seen_subcommand_from record' -l put-back
complete -c cleat -n '__fish_seen_subcommand_from record' -l output -r -F
complete -c cleat -n '__fish_seen_subcommand_from record' -l redact -x
complete -c cleat -n '__fish_seen_subcommand_from record' -l no-redact
complete -c cleat -n '__fish_seen_subcommand_from record' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a replay -d 'Ask a plugin again what was recorded, or answer an engine in its stead'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a replay
complete -c cleat -n '__fish_seen_subcommand_from replay' -l serve -x
complete -c cleat -n '__fish_seen_subcommand_from replay' -l any-order
complete -c cleat -n '__fish_seen_subcommand_from replay' -l timing
complete -c cleat -n '__fish_seen_subcommand_from replay' -l ignore -x
complete -c cleat -n '__fish_seen_subcommand_from replay' -l speed -x
complete -c cleat -n '__fish_seen_subcommand_from replay' -l json
complete -c cleat -n '__fish_seen_subcommand_from replay' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a sweep -d 'Remove every trace of an engine that no longer runs: containers, mounts, networks, both roots'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a sweep
complete -c cleat -n '__fish_seen_subcommand_from sweep' -l data-root -r -F
complete -c cleat -n '__fish_seen_subcommand_from sweep' -l exec-root -r -F
complete -c cleat -n '__fish_seen_subcommand_from sweep' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a create -d 'Make a new plugin of any kind, with a test that passes conformance'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a create
complete -c cleat -n '__fish_seen_subcommand_from create' -l kind -x
complete -c cleat -n '__fish_seen_subcommand_from create' -l js
complete -c cleat -n '__fish_seen_subcommand_from create' -l name -x
complete -c cleat -n '__fish_seen_subcommand_from create' -l packages -r -F
complete -c cleat -n '__fish_seen_subcommand_from create' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a package -d 'Make a managed plugin of an npm project or a root file system, for docker plugin install'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a package
complete -c cleat -n '__fish_seen_subcommand_from package' -l push -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l output -s o -r -F
complete -c cleat -n '__fish_seen_subcommand_from package' -l platform -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l runtime -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l kind -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l name -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l program -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l manifest -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l rootfs
complete -c cleat -n '__fish_seen_subcommand_from package' -l sign -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l no-cache
complete -c cleat -n '__fish_seen_subcommand_from package' -l insecure-registry -x
complete -c cleat -n '__fish_seen_subcommand_from package' -l quiet -s q
complete -c cleat -n '__fish_seen_subcommand_from package' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a plugins -d 'Find managed plugins that others publish; sign your own, list them in an index, carry them without a registry'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a plugins
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a search
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a index
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a sign
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a save
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a load
complete -c cleat -n '__fish_seen_subcommand_from plugins' -a keygen
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l host -s H -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l context -s c -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l tls
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l tlsverify
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l tlscacert -r -F
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l tlscert -r -F
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l tlskey -r -F
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l index -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l key -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l kind -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l offline
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l format -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l output -s o -r -F
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l push -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l publisher -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l from -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l sign -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l insecure-registry -x
complete -c cleat -n '__fish_seen_subcommand_from plugins' -l help -s h
complete -c cleat -n __fish_use_subcommand -f -a verify -d 'Test any Docker plugin through its socket: its protocol, and what engines really do'
complete -c cleat -n '__fish_seen_subcommand_from help' -f -a verify
complete -c cleat -n '__fish_seen_subcommand_from verify' -l read-only
complete -c cleat -n '__fish_seen_subcommand_from verify' -l start -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l elsewhere
complete -c cleat -n '__fish_seen_subcommand_from verify' -l opt -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l ipam-opt -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l ipam-driver -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l only -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l skip -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l timeout -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l plugin-dir -r -F
complete -c cleat -n '__fish_seen_subcommand_from verify' -l strict
complete -c cleat -n '__fish_seen_subcommand_from verify' -l format -x
complete -c cleat -n '__fish_seen_subcommand_from verify' -l output -s o -r -F
complete -c cleat -n '__fish_seen_subcommand_from verify' -l verbose -s v
complete -c cleat -n '__fish_seen_subcommand_from verify' -l list
complete -c cleat -n '__fish_seen_subcommand_from verify' -l help -s h
complete -c cleat -n '__fish_seen_subcommand_from verify' -l host -s H -x
