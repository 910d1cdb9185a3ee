#compdef cleatd
# Completion of cleatd for zsh; made from the table of cleatd's options by npm run docs.
_arguments \
  '*--config-file=[Daemon configuration file (JSON); need not exist unless named here]:config-file:_files' \
  '*--data-root=[Root directory of persistent state]:data-root:_files' \
  '*--exec-root=[Root directory of execution state]:exec-root:_files' \
  '*--pidfile=[File that holds the process ID]:pidfile:_files' \
  '*-p+[File that holds the process ID]:pidfile:_files' \
  '*--debug[Log at level debug]' \
  '*-D[Log at level debug]' \
  '*--log-level=[Level of the log\: debug, info, warn, error or fatal]:log-level:(debug info warn error fatal trace)' \
  '*-l+[Level of the log\: debug, info, warn, error or fatal]:log-level:(debug info warn error fatal trace)' \
  '*--log-format=[Format of the log\: text or json (default\: text on a terminal, else json)]:log-format:(text json)' \
  '*--label=[Label of this engine, as key=value]:label:' \
  '*--live-restore[Leave containers running when the daemon is asked to stop]' \
  '*--shutdown-timeout=[Seconds that containers have to stop when the daemon stops]:shutdown-timeout:' \
  '*--events-max-size=[Disk space for events, the oldest of which go first (default 64MiB)]:events-max-size:' \
  '*--events-max-age=[How long events are kept, such as 720h (default\: as long as there is space)]:events-max-age:' \
  '*--metrics-addr=[Serve metrics for Prometheus at http\://HOST\:PORT/metrics, without TLS; best on loopback\: 127.0.0.1\:9323]:metrics-addr:' \
  '*--validate[Check flags and configuration file, then exit]' \
  '*--version[Print the version, then exit]' \
  '*-v[Print the version, then exit]' \
  '*--help[Print this help, then exit]' \
  '*-h[Print this help, then exit]' \
  '*--host=[Where to listen\: unix\://PATH, tcp\://ADDRESS\:PORT or fd\:// (default unix\:///run/docker.sock)]:host:' \
  '*-H+[Where to listen\: unix\://PATH, tcp\://ADDRESS\:PORT or fd\:// (default unix\:///run/docker.sock)]:host:' \
  '*--group=[Group of the UNIX socket (default docker, where that group exists)]:group:' \
  '*-G+[Group of the UNIX socket (default docker, where that group exists)]:group:' \
  '*--tls[Use TLS on TCP; implied by --tlsverify. --tls=false\: plain TCP is intended]' \
  '*--tlsverify[Use TLS on TCP and verify the client]' \
  '*--tlscacert=[Trust only clients whose certificate this CA signed (default ca.pem in $DOCKER_CERT_PATH or ~/.docker)]:tlscacert:_files' \
  '*--tlscert=[TLS certificate (default cert.pem there)]:tlscert:_files' \
  '*--tlskey=[TLS key (default key.pem there)]:tlskey:_files' \
  '*--insecure-tcp[Allow TCP without TLS beyond loopback, and on a bridge'\''s address\: anybody who reaches it is root here]' \
  '*--audit[Record every request to the API in DATA-ROOT/audit; see "cleat audit"]' \
  '*--audit-opt=[Bounds of that journal\: max-size of a file (8m), max-file (8), max-age (720h)]:audit-opt:' \
  '*--min-api-version=[Lowest API version that is served]:min-api-version:' \
  '*--extension=[How to run an extension of the manifest\: NAME=in-process, NAME=process or NAME=off]:extension:' \
  '*--extension-manifest=[Further manifest of extensions (YAML); the one of the batteries always comes first]:extension-manifest:_files' \
  '*--plugin-dir=[Directory in which plugins (.sock, .spec, .json) are discovered]:plugin-dir:_files' \
  '*--authorization-plugin=[Plugin that must allow every request and its answer; several are asked in order, one that is gone denies]:authorization-plugin:' \
  '*--hooks=[File of request hooks (YAML)\: extensions that change, answer or refuse requests, in the order in which they are asked]:hooks:' \
  '*--metrics-collector=[Plugin that collects metrics, started with the engine or as soon as it is there]:metrics-collector:' \
  '*--default-volume-driver=[Driver of volumes that name none]:default-volume-driver:' \
  '*--default-network-driver=[Driver of networks that name none]:default-network-driver:' \
  '*--default-ipam-driver=[Address management of networks that name none]:default-ipam-driver:' \
  '*--builder-driver=[Builder that makes images of Dockerfiles]:builder-driver:' \
  '*--log-driver=[Log driver of containers that name none]:log-driver:' \
  '*--log-opt=[Default option of the log driver, as key=value]:log-opt:' \
  '*--log-backlog=[Output of one container that may wait for its log driver; of what is more, the oldest is dropped (default 1GiB)]:log-backlog:' \
  '*--add-runtime=[Further OCI runtime, as NAME=PATH (in the file also with runtimeArgs)]:add-runtime:' \
  '*--cdi-spec-dir=[Directory of CDI specifications; an empty text turns CDI off]:cdi-spec-dir:_files' \
  '*--default-runtime=[OCI runtime of containers that name none (default\: crun where it works, else runc)]:default-runtime:' \
  '*--cgroup-parent=[Parent cgroup of all containers]:cgroup-parent:' \
  '*--default-cgroupns-mode=[cgroup namespace of containers\: host or private (default private on cgroup v2, else host)]:default-cgroupns-mode:(private host)' \
  '*--default-ipc-mode=[IPC namespace of containers\: private or shareable]:default-ipc-mode:(private shareable)' \
  '*--default-shm-size=[Size of /dev/shm (default 64MiB)]:default-shm-size:' \
  '*--default-ulimit=[Limit of containers, as NAME=SOFT\:HARD]:default-ulimit:' \
  '*--exec-opt=[Runtime execution option\: native.cgroupdriver=cgroupfs or systemd]:exec-opt:' \
  '*--init[Run an init in every container that forwards signals and reaps processes]' \
  '*--init-path=[The init to use (default\: docker-init or tini-static on the PATH)]:init-path:_files' \
  '*--no-new-privileges[Set no-new-privileges for containers by default]' \
  '*--userns-remap=[Users and groups of containers are those of /etc/subuid and /etc/subgid\: default, or USER\[\:GROUP\]]:userns-remap:' \
  '*--seccomp-profile=[Default seccomp profile\: a path, builtin or unconfined]:seccomp-profile:_files' \
  '*--bridge=[Device of the default bridge network, made if it is missing (default cleat0); none\: no such network]:bridge:' \
  '*-b+[Device of the default bridge network, made if it is missing (default cleat0); none\: no such network]:bridge:' \
  '*--allow-direct-routing[Let other hosts reach published ports by the containers'\'' own addresses]' \
  '*--bip=[The default bridge'\''s own address, as 172.30.0.1/16]:bip:' \
  '*--bip6=[The default bridge'\''s own IPv6 address, as fd00\:30\:\:1/64; needs --ipv6]:bip6:' \
  '*--bridge-accept-fwmark=[Let packets with this firewall mark, as 1 or 0x1/0x3, through to containers]:bridge-accept-fwmark:' \
  '*--fixed-cidr=[Part of that subnet from which containers get addresses]:fixed-cidr:' \
  '*--fixed-cidr-v6=[The same for IPv6, or the whole subnet where --bip6 is absent]:fixed-cidr-v6:' \
  '*--default-gateway=[Gateway of containers on the default bridge network]:default-gateway:' \
  '*--default-gateway-v6=[The same for IPv6]:default-gateway-v6:' \
  '*--default-network-opt=[Option of all new networks of a driver, as DRIVER=KEY=VALUE]:default-network-opt:' \
  '*--default-address-pool=[Pool for networks without a subnet, as base=10.0.0.0/8,size=24]:default-address-pool:' \
  '*--dns=[DNS server of containers]:dns:' \
  '*--dns-opt=[DNS option of containers]:dns-opt:' \
  '*--dns-search=[DNS search domain of containers]:dns-search:' \
  '*--host-gateway-ip=[What '\''host-gateway'\'' in --add-host stands for (default\: the default bridge'\''s address)]:host-gateway-ip:' \
  '*--icc[Let containers on the default bridge network talk to each other]' \
  '*--ip=[Host address of published ports that name none]:ip:' \
  '*--ip-forward[Enable net.ipv4.ip_forward]' \
  '*--ip-masq[Masquerade what leaves the default bridge network]' \
  '*--iptables[Let the engine make firewall rules (nftables)]' \
  '*--ipv6[IPv6 on the default bridge network]' \
  '*--mtu=[MTU of the default bridge network]:mtu:' \
  '*--node-address=[Address of this host for others, of which network drivers of global scope are told (DiscoverNew)]:node-address:' \
  '*--node-list=[File with the addresses of the other hosts, one in a line, of which they are told, too; read when it changes]:node-list:' \
  '*--insecure-registry=[Registry (HOST\:PORT or CIDR) that may speak plain HTTP or show an unknown certificate]:insecure-registry:' \
  '*--registry-mirror=[Mirror (URL) that is asked before the Docker Hub]:registry-mirror:' \
  '*--max-concurrent-downloads=[Layers that one pull downloads at once]:max-concurrent-downloads:' \
  '*--keep-layer-archives[Keep layers as they came beside the unpacked ones\: more disk, and a push elsewhere sends the same bytes]' \
  '*--http-proxy=[Proxy (URL) for plain HTTP to registries and other servers; otherwise HTTP_PROXY of the environment]:http-proxy:' \
  '*--https-proxy=[Proxy (URL) for HTTPS; otherwise HTTPS_PROXY of the environment]:https-proxy:' \
  '*--no-proxy=[Hosts, .domains, addresses and networks that no proxy is asked for, with commas; otherwise NO_PROXY]:no-proxy:' \
  '*--allow-nondistributable-artifacts=[foreign layers are not pushed]:allow-nondistributable-artifacts:' \
  '*--api-cors-header=[the API does not answer to web pages of other origins]:api-cors-header:' \
  '*--api-enable-cors[the API does not answer to web pages of other origins]' \
  '*--cluster-advertise=[swarm mode is not part of this engine]:cluster-advertise:' \
  '*--cluster-store=[swarm mode is not part of this engine]:cluster-store:' \
  '*--cluster-store-opt=[swarm mode is not part of this engine]:cluster-store-opt:' \
  '*--containerd=[containers are run by conmon and an OCI runtime, there is no containerd]:containerd:' \
  '*--containerd-namespace=[containers are run by conmon and an OCI runtime, there is no containerd]:containerd-namespace:' \
  '*--containerd-plugins-namespace=[containers are run by conmon and an OCI runtime, there is no containerd]:containerd-plugins-namespace:' \
  '*--cpu-rt-period=[set real-time limits per container (--cpu-rt-runtime of docker run)]:cpu-rt-period:' \
  '*--cpu-rt-runtime=[set real-time limits per container (--cpu-rt-runtime of docker run)]:cpu-rt-runtime:' \
  '*--cri-containerd[containers are run by conmon and an OCI runtime, there is no containerd]' \
  '*--default-init=[use --init-path]:default-init:' \
  '*--default-stop-timeout=[set it per container (--stop-timeout of docker run)]:default-stop-timeout:' \
  '*--deprecated-key-path=[there is no trust key]:deprecated-key-path:_files' \
  '*--disable-legacy-registry[version 1 registries are never asked]' \
  '*--experimental[no feature is hidden behind it]' \
  '*--feature=[there is one image store; dockerd'\''s feature switches mean nothing here]:feature:' \
  '*--firewall-backend=[rules are always made with nftables]:firewall-backend:' \
  '*--graph=[use --data-root]:graph:' \
  '*-g+[use --data-root]:graph:' \
  '*--ip-forward-no-drop[the policy of the FORWARD chain is never changed]' \
  '*--ip6tables[one nftables table holds the rules of both families]' \
  '*--max-concurrent-uploads=[layers are pushed one after another]:max-concurrent-uploads:' \
  '*--max-download-attempts=[failed downloads are retried with a fixed bound]:max-download-attempts:' \
  '*--network-control-plane-mtu=[swarm mode is not part of this engine]:network-control-plane-mtu:' \
  '*--network-diagnostic-port=[swarm mode is not part of this engine]:network-diagnostic-port:' \
  '*--node-generic-resource=[swarm mode is not part of this engine]:node-generic-resource:' \
  '*--oom-score-adjust=[set it in the daemon'\''s service unit (OOMScoreAdjust=)]:oom-score-adjust:' \
  '*--raw-logs[use --log-format]' \
  '*--resolv-conf=[containers get the host'\''s /etc/resolv.conf]:resolv-conf:' \
  '*--restart[use restart policies (--restart of docker run)]' \
  '*-r[use restart policies (--restart of docker run)]' \
  '*--rootless[this engine runs as root]' \
  '*--selinux-enabled[SELinux labels are not set\: refused]' \
  '*--storage-driver=[root file systems are always overlayfs]:storage-driver:' \
  '*-s+[root file systems are always overlayfs]:storage-driver:' \
  '*--storage-opt=[overlayfs takes no options here]:storage-opt:' \
  '*--swarm-default-advertise-addr=[swarm mode is not part of this engine]:swarm-default-advertise-addr:' \
  '*--swarm-raft-election-tick=[swarm mode is not part of this engine]:swarm-raft-election-tick:' \
  '*--swarm-raft-heartbeat-tick=[swarm mode is not part of this engine]:swarm-raft-heartbeat-tick:' \
  '*--userland-proxy[one process carries what the kernel cannot translate\: \[\:\:1\], and IPv6 to a container without it]' \
  '*--userland-proxy-path=[one process carries what the kernel cannot translate\: \[\:\:1\], and IPv6 to a container without it]:userland-proxy-path:_files'
