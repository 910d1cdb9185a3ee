# Completion of cleatd for bash; made from cli/cleatd/options/.
_cleatd() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  case $before in
    --config-file | --data-root | --exec-root | --pidfile | --tlscacert | --tlscert | --tlskey | --extension-manifest | --plugin-dir | --init-path | --seccomp-profile | --cdi-spec-dir | --deprecated-key-path | --rootless | --userland-proxy-path)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warn error fatal' -- "$word") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W '--config-file --data-root --exec-root --pidfile --debug --log-level --log-format --label --live-restore --shutdown-timeout --metrics-addr --validate --version --help --host --group --tls --tlsverify --tlscacert --tlscert --tlskey --insecure-tcp --min-api-version --extension --extension-manifest --plugin-dir --authorization-plugin --metrics-collector --default-volume-driver --default-network-driver --default-ipam-driver --log-driver --log-opt --log-backlog --add-runtime --default-runtime --cgroup-parent --default-cgroupns-mode --default-ipc-mode --default-shm-size --default-ulimit --exec-opt --init --init-path --no-new-privileges --seccomp-profile --bridge --bip --fixed-cidr --default-gateway --default-address-pool --dns --dns-opt --dns-search --host-gateway-ip --icc --ip --ip-forward --ip-masq --iptables --ipv6 --mtu --insecure-registry --registry-mirror --max-concurrent-downloads --allow-direct-routing --allow-nondistributable-artifacts --api-cors-header --api-enable-cors --bip6 --bridge-accept-fwmark --cdi-spec-dir --cluster-advertise --cluster-store --cluster-store-opt --containerd --containerd-namespace --containerd-plugins-namespace --cpu-rt-period --cpu-rt-runtime --cri-containerd --default-gateway-v6 --default-init --default-network-opt --default-stop-timeout --deprecated-key-path --disable-legacy-registry --experimental --feature --firewall-backend --fixed-cidr-v6 --graph --http-proxy --https-proxy --ip-forward-no-drop --ip6tables --max-concurrent-uploads --max-download-attempts --network-control-plane-mtu --network-diagnostic-port --no-proxy --node-generic-resource --oom-score-adjust --raw-logs --resolv-conf --restart --rootless --selinux-enabled --storage-driver --storage-opt --swarm-default-advertise-addr --swarm-raft-election-tick --swarm-raft-heartbeat-tick --userland-proxy --userland-proxy-path --userns-remap' -- "$word") ;;
  esac
}
complete -F _cleatd cleatd
