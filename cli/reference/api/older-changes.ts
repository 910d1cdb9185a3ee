/** Changes of Docker's API up to 1.43; see `recent-changes.ts`. Of swarm mode each version has one line. */
export const olderChanges = `
## 1.43
served body POST /containers/create HostConfig.Annotations
served text GET /images/json no <none>:<none> for images without a name
served text GET /info no-new-privileges in SecurityOptions
## 1.42
served gone GET /system/df BuilderSize
served query POST /containers/{id}/stop signal
served query POST /containers/{id}/restart signal
served query GET /images/json shared-size
served query GET /system/df type; in every version
served text POST /images/create platform of an import
served text POST /containers/{id}/wait 400 for a condition that is none
none body POST /containers/create HostConfig.KernelMemory; no kernel has the limit: it is left out, with a warning before 1.42
served text GET /_ping Builder-Version, Swarm
served text GET /containers/{id}/logs Content-Type of multiplexed streams
refused body POST /volumes/create ClusterVolumeSpec; there is no swarm mode
refused route PUT /volumes/{name} -; there is no swarm mode
served query GET /containers/{id}/attach/ws stdin
served query GET /containers/{id}/attach/ws stdout
served query GET /containers/{id}/attach/ws stderr
served body POST /containers/create HostConfig.ConsoleSize
served body POST /containers/create HostConfig.Mounts.BindOptions.CreateMountpoint
served text POST /containers/create options of another type of mount are refused
served body POST /containers/{id}/exec ConsoleSize
served text POST /volumes/prune the filter all
## 1.41
served text GET /events the event prune
served always GET /info CgroupVersion
served always GET /info DefaultAddressPools
served always GET /info OSVersion
served query GET /images/json filter; heeded in every version, as who sends it does not want all images
served query POST /containers/create platform; in every version
served body POST /containers/create HostConfig.CgroupnsMode
served query GET /containers/{id}/stats one-shot
refused text GET /services CapAdd, CapDrop, Ulimits, Pids, jobs; there is no swarm mode
## 1.40
served text HEAD /_ping without a body; with Cache-Control and Pragma
served text GET /networks the filter dangling
served body POST /containers/create HostConfig.Mounts.BindOptions.NonRecursive
served always GET /info PidsLimit
served body POST /containers/create HostConfig.DeviceRequests.DeviceIDs; of the driver cdi, others are refused
refused body POST /containers/create HostConfig.Capabilities; of 1.40 only, and of no engine today
none body POST /containers/create HostConfig.KernelMemoryTCP; no kernel has the limit: it is left out, with a warning
served text POST /containers/create IpcMode is private by default; shareable before
served body POST /containers/{id}/update PidsLimit
refused query POST /build outputs; they are BuildKit's
refused text GET /services Sysctls, MaxReplicas; there is no swarm mode
## 1.39
served always GET /info Warnings
none answer GET /info ProductLicense; there is none
served route POST /session -
refused text POST /swarm/init DefaultAddrPool, SubnetSize; there is no swarm mode
## 1.38
refused text GET /tasks NetworkAttachmentSpec; there is no swarm mode
## 1.37
served text POST /containers/create ports of SCTP
refused text POST /configs/create Templating; there is no swarm mode
## 1.36
served text GET /events the event exec_die
## 1.35
served query GET /containers/{id}/logs until
served body POST /containers/{id}/exec WorkingDir
served always GET /version Platform.Name
served always GET /version Components
refused text POST /services/create Isolation; there is no swarm mode
## 1.34
served text POST /containers/{id}/wait Error of a removal that failed
## 1.33
none text GET /events the filters config, node, secret, service; there is no swarm mode
## 1.32
served query POST /images/create platform; in every version
served text POST /containers/create IpcMode private, shareable, none
## 1.31
served query GET /networks/{id} scope
served always GET /volumes/{name} CreatedAt
refused text POST /secrets/create Driver; there is no swarm mode
## 1.30
served always GET /info Plugins.Log
refused text POST /swarm/update certificates; there is no swarm mode
served query POST /containers/{id}/wait condition
served text GET /events the filter scope
served query PUT /containers/{id}/archive copyUIDGID
## 1.29
served body POST /networks/create Ingress
served always GET /networks/{id} Ingress
served text GET /networks the filter scope
served body POST /containers/create Healthcheck.StartPeriod
served text POST /containers/prune the filters label and label!
refused text POST /services/create Privileges; there is no swarm mode
## 1.28
none body POST /containers/create HostConfig.Mounts.Consistency; of Docker Desktop on a Mac
served body POST /containers/create HostConfig.DeviceCgroupRules
none query GET /networks/{id} verbose; it adds services, and there is no swarm mode
served text GET /containers/{id}/attach/ws binary frames
served text GET /networks rows without their containers
served text GET /containers/json the filters publish and expose
served query POST /build extrahosts
served body POST /containers/{id}/update NanoCpus
served query POST /plugins/{name}/disable force
refused text POST /services/create rollback; there is no swarm mode
## 1.27
served always GET /containers/{id}/stats cpu_stats
## 1.26
served route POST /plugins/{name}/upgrade -
## 1.25
served always GET /version MinAPIVersion
served query POST /build networkmode
served query POST /build cachefrom
served always GET /info Isolation
served body POST /containers/create HostConfig.AutoRemove
served text GET /containers/json the state removing, the filter health
served query DELETE /volumes/{name} force
served body POST /containers/create HostConfig.Mounts.Type
served body POST /containers/create StopTimeout
served always GET /networks/{id} Created
served body POST /containers/{id}/exec Env
served always GET /volumes/{name} Options
served route POST /containers/prune -
served route POST /images/prune -
served route POST /volumes/prune -
served route POST /networks/prune -
served text GET /info Docker-Experimental, Api-Version
served body POST /containers/create HostConfig.CpuRealtimePeriod
served body POST /containers/create HostConfig.NanoCpus
none body POST /containers/create HostConfig.CpuCount; of Windows: it is left out, with a warning
served route GET /plugins -
served text GET /images/json the filter reference
served body POST /containers/create HostConfig.Init
served text POST /containers/create the log options mode and max-buffer-size
none text GET /containers/json the filter is-task; there is no swarm mode
refused text POST /services/create DNSConfig, TTY; there is no swarm mode
## 1.24
refused body POST /containers/create HostConfig.StorageOpt; overlayfs takes no options here
served always GET /info SecurityOptions
served text GET /info no ExecutionDriver; from 1.25 on, as in Docker
served text GET /networks the filters label and driver
served text GET /containers/json the filter network
refused body POST /containers/create HostConfig.IOMaximumBandwidth; of Windows
served text GET /events reload, detach, exec_detach, the filter daemon
served text GET /images/json the filters since and before
refused text POST /containers/{id}/start a body; until 1.23 it is the host configuration
none query POST /images/{name}/tag force; a tag always moves
served text GET /containers/{id}/json errors in JSON; plain text before
served body POST /containers/create HostConfig.Sysctls
## 1.23
served answer GET /containers/json [].State
served answer GET /containers/json [].Mounts
served always GET /networks/{id} Internal
served always GET /networks/{id} EnableIPv6
served body POST /containers/{id}/update RestartPolicy.Name
served body POST /networks/create EnableIPv6
served always GET /info CgroupDriver
served body POST /containers/create HostConfig.PidsLimit
served always GET /containers/{id}/stats pids_stats
served body POST /containers/create HostConfig.UsernsMode; host, for those that --userns-remap would give others
served text POST /containers/create nocopy of volumes
served answer GET /images/{name}/json RootFS
served text POST /auth IdentityToken
served query GET /containers/{id}/logs details
served query POST /images/load quiet
served text GET /volumes the filters name and driver
## 1.22
served gone GET /containers/{id}/json ExecDriver
served route POST /containers/{id}/update -
served always GET /info Architecture
served always GET /info OSType
served text GET /events Type, Action, Actor
served body POST /containers/create HostConfig.ShmSize
served query GET /images/json digests
served text DELETE /images/{name} Untagged and Deleted
## 1.21
served route GET /volumes -
served route GET /networks -
served answer GET /containers/{id}/stats networks
served gone GET /containers/{id}/stats network
served body POST /containers/create StopSignal
served body POST /containers/create HostConfig.VolumeDriver
served body POST /containers/create HostConfig.KernelMemory before 1.42
## 1.20
served route GET /containers/{id}/archive -
served query GET /containers/{id}/archive path
served body POST /containers/create HostConfig.GroupAdd
`;
