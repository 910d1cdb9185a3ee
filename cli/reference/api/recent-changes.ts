/**
 * Changes of Docker's API from 1.44 on, by version (moby `api/docs/CHANGELOG.md`), and what becomes of each here. A line
 * is `STATE KIND METHOD PATH FIELD; why`; see `changes.ts`.
 */
export const recentChanges = `
## 1.56
served text GET /containers/json the filter annotation
served body POST /containers/create HostConfig.Umask
## 1.55
served route GET /images/{name}/attestations -; attestations are not brought here with images: the list is empty, or 404 where the index has one
served query GET /images/{name}/attestations platform
none query GET /images/{name}/attestations type; there is no statement to choose from
none query GET /images/{name}/attestations statement; there is no statement to show
served body POST /containers/{id}/update BlkioWeightDevice
served body POST /containers/{id}/update BlkioDeviceReadBps
served body POST /containers/{id}/update BlkioDeviceWriteBps
served body POST /containers/{id}/update BlkioDeviceReadIOps
served body POST /containers/{id}/update BlkioDeviceWriteIOps
## 1.54
served query GET /images/json identity; where an image was pulled from; signatures are not checked here
served body POST /networks/{id}/connect EndpointConfig.MacAddress; from 1.44 on
## 1.53
none answer GET /info NRI; NRI plugins need containerd
served text GET /events Accept: application/jsonl; in every version
served text GET /images/{name}/json Identity; where an image was pulled from; signatures are not checked here
served text POST /grpc deprecated
served text POST /session deprecated
## 1.52
served query GET /images/{name}/get platform (several)
served query POST /images/load platform (several)
served gone GET /events status
served gone GET /events id
served gone GET /events from
served answer GET /networks/{id} Status
served text POST /containers/create Warnings of empty PortBindings
served gone GET /images/{name}/json Config.OnBuild
served gone GET /images/{name}/json Config.Entrypoint
served gone GET /images/{name}/json Config.User
served gone GET /images/{name}/json Config.Volumes
served gone GET /images/{name}/json Config.WorkingDir
served gone GET /images/{name}/json Config.Labels
served gone GET /images/{name}/json Parent
served text GET /images/{name}/json Comment only where there is one
served gone GET /images/{name}/json DockerVersion
served gone GET /images/{name}/json Author
served gone GET /containers/{id}/json Config.OnBuild
served gone GET /containers/{id}/json Config.MacAddress
served gone GET /containers/{id}/json NetworkSettings.Bridge
served gone GET /containers/{id}/json NetworkSettings.HairpinMode
served gone GET /containers/{id}/json NetworkSettings.LinkLocalIPv6Address
served gone GET /containers/{id}/json NetworkSettings.LinkLocalIPv6PrefixLen
served gone GET /containers/{id}/json NetworkSettings.SecondaryIPAddresses
served gone GET /containers/{id}/json NetworkSettings.SecondaryIPv6Addresses
served gone GET /containers/{id}/json NetworkSettings.EndpointID
served gone GET /containers/{id}/json NetworkSettings.Gateway
served gone GET /containers/{id}/json NetworkSettings.GlobalIPv6Address
served gone GET /containers/{id}/json NetworkSettings.GlobalIPv6PrefixLen
served gone GET /containers/{id}/json NetworkSettings.IPAddress
served gone GET /containers/{id}/json NetworkSettings.IPPrefixLen
served gone GET /containers/{id}/json NetworkSettings.IPv6Gateway
served gone GET /containers/{id}/json NetworkSettings.MacAddress
none body POST /containers/{id}/update KernelMemoryTCP; no kernel has the limit: it is left out, with a warning
none answer GET /containers/{id}/json HostConfig.KernelMemoryTCP; no kernel has the limit
none answer GET /info KernelMemoryTCP; no kernel has the limit
served text GET /events Accept: application/x-ndjson, application/json-seq; in every version
refused body POST /containers/create MacAddress; it belongs to an endpoint: \`NetworkingConfig.EndpointsConfig\`
refused text GET /services SwapBytes, MemorySwappiness; there is no swarm mode
served always GET /containers/{id}/stats os_type
served answer GET /system/df ImageUsage
served answer GET /system/df ContainerUsage
served answer GET /system/df VolumeUsage
served answer GET /system/df BuildCacheUsage
served query GET /system/df verbose; the fields of 1.51 are left out then. Docker, too, still sends them otherwise
served answer GET /containers/json [].Health
## 1.51
served text GET /images/json Containers are counted; always -1 before
none answer GET /plugins [].Config.DockerVersion; a plugin's manifest is shown as it is
## 1.50
served answer GET /info DiscoveredDevices
served query DELETE /images/{name} platforms; in every version
served gone GET /info BridgeNfIptables
served gone GET /info BridgeNfIp6tables
served gone GET /images/{name}/json Config.Hostname
served gone GET /images/{name}/json Config.Domainname
served gone GET /images/{name}/json Config.AttachStdin
served gone GET /images/{name}/json Config.AttachStdout
served gone GET /images/{name}/json Config.AttachStderr
served gone GET /images/{name}/json Config.Tty
served gone GET /images/{name}/json Config.OpenStdin
served gone GET /images/{name}/json Config.StdinOnce
served gone GET /images/{name}/json Config.Image
## 1.49
served query GET /images/{name}/json platform; in every version
served answer GET /info FirewallBackend
served gone GET /info RegistryConfig.AllowNondistributableArtifactsCIDRs
served gone GET /info RegistryConfig.AllowNondistributableArtifactsHostnames
served gone GET /info ContainerdCommit.Expected
served gone GET /info RuncCommit.Expected
served gone GET /info InitCommit.Expected
## 1.48
served text POST /images/create error, progress in the answer; still sent, as in Docker
served query GET /images/{name}/history platform; in every version
served query POST /images/load platform; in every version
served query GET /images/{name}/get platform; in every version
served query POST /build/prune reserved-space
served query POST /build/prune max-used-space
served query POST /build/prune min-free-space
served text POST /containers/create Warnings of VolumeDriver with Mounts
served body POST /containers/create HostConfig.Mounts.ImageOptions.Subpath
refused body POST /containers/create HostConfig.Sysctls net.*.*.eth0.*; it belongs to an endpoint: \`DriverOpts\`
served answer GET /images/json [].Descriptor
served answer GET /images/{name}/json Descriptor
served text GET /images/{name}/json Manifests; where \`manifests\` asks for them
served query GET /images/{name}/json manifests
none answer GET /containers/{id}/json ImageManifestDescriptor; the image's own \`Manifests\` tell which containers use them
none answer GET /containers/json [].ImageManifestDescriptor; the image's own \`Manifests\` tell which containers use them
served body POST /networks/create EnableIPv4
served answer GET /networks/{id} EnableIPv4
served body POST /networks/{id}/connect EndpointConfig.GwPriority
served body POST /containers/create NetworkingConfig.EndpointsConfig.*.GwPriority
served answer GET /containers/json [].NetworkSettings.Networks.*.GwPriority
none route GET /debug/vars -; of Go's runtime; see --metrics-addr
## 1.47
served query GET /images/json manifests
## 1.46
none answer GET /info Containerd; containers are run by conmon and an OCI runtime
served text POST /containers/create EndpointsConfig.*.DriverOpts com.docker.network.endpoint.sysctls
served text POST /networks/{id}/connect EndpointConfig.DriverOpts com.docker.network.endpoint.sysctls
served answer GET /containers/json [].HostConfig.Annotations
served query POST /images/{name}/push platform
served body POST /containers/create HostConfig.Mounts.TmpfsOptions.Options
served text GET /events the event create of images
refused text POST /services/create OomScoreAdj; there is no swarm mode
## 1.45
served body POST /containers/create HostConfig.Mounts.VolumeOptions.Subpath
served gone GET /images/{name}/json Container
served gone GET /images/{name}/json ContainerConfig
served text GET /containers/{id}/json Aliases without the container's ID
## 1.44
served text GET /images/json the filter until
served gone GET /images/{name}/json VirtualSize
served gone GET /images/json [].VirtualSize
served body POST /containers/create HostConfig.Mounts.BindOptions.ReadOnlyNonRecursive
served body POST /containers/create HostConfig.Mounts.BindOptions.ReadOnlyForceRecursive
served text POST /containers/create read-only binds are so recursively; not before 1.44
served body POST /containers/create Healthcheck.StartInterval
served always GET /info CDISpecDirs
served text POST /networks/create 400 for an IPAM configuration that is wrong
served text POST /networks/create names are unique
served text POST /containers/create several networks
served text POST /containers/create all faults of endpoints in one answer
refused text POST /services/create Seccomp, AppArmor; there is no swarm mode
served body POST /containers/create NetworkingConfig.EndpointsConfig.*.MacAddress
served body POST /networks/{id}/connect EndpointConfig.MacAddress
none answer GET /info Runtimes.*.status; optional: runtimes are asked for their features when a container needs them
served answer GET /containers/{id}/json NetworkSettings.Networks.*.DNSNames
`;
