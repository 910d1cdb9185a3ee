import Type, { type Static } from '../schema.js';
import { type Kind, negotiated, seconds } from './kind.js';

const Nothing = Type.Object({});
/** Generic options; labels arrive under `com.docker.network.generic`, port maps under `com.docker.network.portmap`. */
const Options = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]));
const Endpoint = { NetworkID: Type.String(), EndpointID: Type.String() };

export const IpamData = Type.Object({
  AddressSpace: Type.Optional(Type.String()),
  Pool: Type.Optional(Type.String({ description: 'CIDR' })),
  Gateway: Type.Optional(Type.String({ description: 'The gateway as CIDR, for example `172.18.0.1/16`.' })),
  AuxAddresses: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
});
export type IpamData = Static<typeof IpamData>;

export const EndpointInterface = Type.Object({
  Address: Type.Optional(Type.String({ description: 'CIDR' })),
  AddressIPv6: Type.Optional(Type.String({ description: 'CIDR' })),
  MacAddress: Type.Optional(Type.String()),
});
export type EndpointInterface = Static<typeof EndpointInterface>;

export const PortBinding = Type.Object({
  Proto: Type.Integer({ description: '6 tcp, 17 udp, 132 sctp' }),
  IP: Type.Optional(Type.String({ description: 'Always empty: the driver knows the container’s address.' })),
  Port: Type.Integer(),
  HostIP: Type.Optional(Type.String()),
  HostPort: Type.Optional(Type.Integer()),
  HostPortEnd: Type.Optional(Type.Integer()),
});
export type PortBinding = Static<typeof PortBinding>;

export const StaticRoute = Type.Object({
  Destination: Type.String({ description: 'CIDR' }),
  RouteType: Type.Optional(Type.Integer({ description: '0: via NextHop; 1: directly connected.' })),
  NextHop: Type.Optional(Type.String()),
});
export type StaticRoute = Static<typeof StaticRoute>;

export const OpenedLink = Type.Object({
  EndpointID: Type.String({ description: 'The endpoint, on the same network, that is to be reached.' }),
  Ports: Type.Array(
    Type.Object({ Proto: Type.Integer({ description: '6 tcp, 17 udp, 132 sctp' }), Port: Type.Integer() }),
  ),
});
export type OpenedLink = Static<typeof OpenedLink>;

export const NamedEndpoint = Type.Object({
  Names: Type.Array(Type.String(), {
    description: 'All that it is found by. The first is what its addresses are called.',
  }),
  Addresses: Type.Array(Type.String(), { description: 'Without prefix length, of the network’s subnets.' }),
});
export type NamedEndpoint = Static<typeof NamedEndpoint>;

/** One line of the answer to `WatchNames`: all that there are. */
export const NamesElsewhere = Type.Object({ Endpoints: Type.Array(NamedEndpoint) });
export type NamesElsewhere = Static<typeof NamesElsewhere>;

/** Bounds of one network's names: an engine refuses a longer line or list, and leaves odd entries out. */
export const namesElsewhereLimits = {
  /** Bytes of a line. */
  line: 512 * 1024,
  /** Endpoints of a line. */
  endpoints: 4096,
  /** Those of one endpoint. */
  names: 64,
  addresses: 16,
} as const;

/** A host that takes part in a network of several (moby `daemon/libnetwork/discoverapi`). */
export const NodeDiscoveryData = Type.Object({
  Address: Type.String({ description: 'Other hosts reach it there.' }),
  BindAddress: Type.String({ description: 'Of this host: the address that it is to listen on. Of another: empty.' }),
  Self: Type.Boolean({ description: 'It is this host.' }),
});
export type NodeDiscoveryData = Static<typeof NodeDiscoveryData>;

/** `DiscoveryType`: nodes. Docker has two more, for the keys of its own overlay, and sends no plugin those. */
export const nodeDiscovery = 1;

/** Keys of the option maps (moby `daemon/libnetwork/netlabel`). */
export const netlabel = {
  /** CreateNetwork: the user's `-o` options as a string map. */
  generic: 'com.docker.network.generic',
  /** CreateEndpoint and ProgramExternalConnectivity: {@link PortBinding}[] that were requested. */
  portMap: 'com.docker.network.portmap',
  exposedPorts: 'com.docker.network.endpoint.exposedports',
  /** CreateEndpoint: the MAC address that the user requested, as base64 of its six bytes. */
  macAddress: 'com.docker.network.endpoint.macaddress',
  /** CreateEndpoint, negotiated: the container’s name (moby#52870). */
  endpointName: 'com.docker.network.endpoint.name',
  /** CreateEndpoint, negotiated: a list of the names by which the endpoint is found on the network. */
  endpointNames: 'io.cleat.endpoint.names',
  /** CreateEndpoint: name servers that the container’s user named. */
  dnsServers: 'com.docker.network.endpoint.dnsservers',
  /** A user's option of an endpoint: `net.X.Y.IFNAME.Z=V` of its interface, separated by commas. */
  endpointSysctls: 'com.docker.network.endpoint.sysctls',
  /** A user's option of an endpoint: the name of its interface inside. */
  endpointIfname: 'com.docker.network.endpoint.ifname',
  enableIPv4: 'com.docker.network.enable_ipv4',
  enableIPv6: 'com.docker.network.enable_ipv6',
  internal: 'com.docker.network.internal',
  bridgeName: 'com.docker.network.bridge.name',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  enableIcc: 'com.docker.network.bridge.enable_icc',
  enableIpMasquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  mtu: 'com.docker.network.driver.mtu',
  /** ProgramExternalConnectivity: another endpoint serves ports over IPv6 (moby `netlabel.NoProxy6To4`). */
  noProxy6To4: 'com.docker.network.driver.no_proxy_6to4',
  /** ProgramExternalConnectivity, negotiated: the families for which the endpoint is the way out. */
  gatewayFor: 'io.cleat.gateway.for',
  /** Join, negotiated: a process in the sandbox's namespace. */
  sandboxPid: 'io.cleat.sandbox.pid',
  /** AllocateNetwork: the network’s name, which is the same on every host that joins it. */
  networkName: 'io.cleat.network.name',
} as const;

const discovery = Type.Object({
  DiscoveryType: Type.Integer({ description: '1: a node.' }),
  DiscoveryData: Type.Unknown({
    description:
      'Of a node: `Address`, at which other hosts reach it; `BindAddress`, on which it is to listen, or empty; `Self`, whether it is this host.',
  }),
});

export const networkKind = {
  label: 'network',
  name: 'NetworkDriver',
  version: 1,
  title: 'Networks',
  called: 'network driver',
  does: 'connects containers',
  neededToStart: true,
  stockDocker: 'found or installed',
  infoList: 'Network',
  errorKey: 'Err',
  about:
    'Networks: what connects containers, for `docker network`. Docker’s remote network driver protocol (moby `daemon/libnetwork/drivers/remote`). The driver answers Join with an interface; the engine moves `SrcName` into the container’s sandbox, names it `DstPrefix` and a number, and configures addresses and routes.',
  negotiated: [
    '`GetCapabilities.Sandbox`: `host` means that containers use the host’s network, `none` a sandbox with nothing but loopback; both answer Join without an interface. Missing means `own`.',
    '`GetCapabilities.ServesPublishedPorts`, and in `EndpointOperInfo.Value` the key `com.docker.network.portmap`: a JSON array of port bindings with the host ports that were really assigned.',
    '`GetCapabilities.PublishesPerFamily`, with `ServesPublishedPorts`: then `ProgramExternalConnectivity` is called for each endpoint of a container that publishes ports, and again when `Options["io.cleat.gateway.for"]` changes: the families, `ipv4` and `ipv6`, for which the endpoint is the container’s way out. Ports of a family that is no longer among them are closed; the others stay as they are. Without a way out over IPv6, the endpoint that is it over IPv4 is told both.',
    '`GetCapabilities.LinksDieWithSandbox`: the driver’s interfaces vanish with the namespace that they were moved to, so they are not moved back before a sandbox is removed.',
    '`GetCapabilities.JoinsInSandbox`: then `Join.Options["io.cleat.sandbox.pid"]` is a process in the sandbox’s namespace, in which the driver may make its interface, and says so by `InterfaceName.InSandbox`.',
    '`GetCapabilities.AllocatesNetworks`: then `AllocateNetwork` is called before `CreateNetwork`, and `FreeNetwork` after `DeleteNetwork`, on this host. Docker has a swarm’s manager make these calls, for drivers of global scope.',
    '`GetCapabilities.KnowsEndpointNames`: then `CreateEndpoint.Options["com.docker.network.endpoint.name"]` is the container’s name, as Docker tells it to IPAM drivers.',
    '`GetCapabilities.SharesNames`: the driver carries names between hosts. Then `CreateEndpoint.Options["io.cleat.endpoint.names"]` is an array of the names by which the endpoint is found on the network, `RenameEndpoint` is called when they become others, and `WatchNames` for the endpoints of other hosts.',
    '`GetCapabilities.OpensLinks`: then `OpenLinks` is called for containers that are linked (`docker run --link`), so that a driver that keeps containers apart lets these reach each other.',
  ],
  methods: {
    GetCapabilities: {
      about: 'Asked once after activation.',
      request: Nothing,
      response: Type.Object({
        Scope: Type.Optional(
          Type.String({
            description:
              '`local` or `global`. Of a driver of global scope, networks have their subnets from the IPAM driver’s global address space.',
          }),
        ),
        ConnectivityScope: Type.Optional(
          Type.String({
            description:
              '`local` or `global`; empty: as `Scope`. One that connects globally is told of nodes (`DiscoverNew`).',
          }),
        ),
        GwAllocChecker: Type.Optional(Type.Boolean()),
        Sandbox: Type.Optional(
          Type.Union([Type.Literal('own'), Type.Literal('host'), Type.Literal('none')], negotiated),
        ),
        ServesPublishedPorts: Type.Optional(Type.Boolean(negotiated)),
        PublishesPerFamily: Type.Optional(Type.Boolean(negotiated)),
        LinksDieWithSandbox: Type.Optional(Type.Boolean(negotiated)),
        /** Making an interface in the sandbox takes a millisecond; moving it, with the kernel's routing lock held, up to 30. */
        JoinsInSandbox: Type.Optional(Type.Boolean(negotiated)),
        OpensLinks: Type.Optional(Type.Boolean(negotiated)),
        AllocatesNetworks: Type.Optional(Type.Boolean(negotiated)),
        KnowsEndpointNames: Type.Optional(Type.Boolean(negotiated)),
        SharesNames: Type.Optional(Type.Boolean(negotiated)),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    GwAllocCheck: {
      about: 'Whether a network needs addresses for its gateways. Asked when the capability `GwAllocChecker` is set.',
      request: Type.Object({ Options }),
      response: Type.Object({ SkipIPv4: Type.Optional(Type.Boolean()), SkipIPv6: Type.Optional(Type.Boolean()) }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    AllocateNetwork: {
      about:
        'Reserves what a network needs on all hosts that it spans, before `CreateNetwork`. Asked here when the capability `AllocatesNetworks` is set; Docker has only a swarm’s manager ask it.',
      request: Type.Object({
        NetworkID: Type.String(),
        Options: Type.Optional(
          Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
            description:
              'The user’s `-o` options. Here also `io.cleat.network.name`, the network’s name: its ID is another one on each host.',
          }),
        ),
        IPv4Data: Type.Array(IpamData),
        IPv6Data: Type.Array(IpamData),
      }),
      response: Type.Object(
        { Options: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])) },
        {
          description:
            'Kept with the network, shown as `Status.Allocation` of `docker network inspect` (API 1.52), and part of the generic options of every `CreateNetwork`.',
        },
      ),
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    FreeNetwork: {
      about:
        'The reverse of AllocateNetwork, after `DeleteNetwork`. A driver that is away or refuses is asked again, so the call may come twice.',
      request: Type.Object({ NetworkID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    CreateNetwork: {
      about: 'Sets up a network on this host, once per `docker network create`.',
      since: 'Docker 1.9',
      request: Type.Object({
        NetworkID: Type.String(),
        Options,
        IPv4Data: Type.Array(IpamData),
        IPv6Data: Type.Array(IpamData),
      }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    DeleteNetwork: {
      about:
        'The reverse of CreateNetwork. The network is gone whatever the driver answers; one that is away or refuses is asked again.',
      since: 'Docker 1.9',
      request: Type.Object({ NetworkID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    CreateEndpoint: {
      about:
        'Reserves a place for a container. Addresses that the request has are to be used; others the driver may choose.',
      since: 'Docker 1.9',
      request: Type.Object({
        ...Endpoint,
        Interface: Type.Optional(Type.Union([EndpointInterface, Type.Null()])),
        Options,
      }),
      response: Type.Object(
        { Interface: Type.Optional(Type.Union([EndpointInterface, Type.Null()])) },
        { description: 'What the driver chose itself; it must not change what the request already set.' },
      ),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    DeleteEndpoint: {
      about: 'The reverse of CreateEndpoint. One that is away or refuses is asked again, so it may come twice.',
      since: 'Docker 1.9',
      request: Type.Object(Endpoint),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    EndpointOperInfo: {
      about: 'What is worth knowing of an endpoint.',
      since: 'Docker 1.9',
      request: Type.Object(Endpoint),
      response: Type.Object({ Value: Options }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    Join: {
      about:
        'Connects an endpoint to a sandbox: names the interface that the engine is to move into it, and the routes.',
      since: 'Docker 1.9',
      request: Type.Object({ ...Endpoint, SandboxKey: Type.String(), Options }),
      response: Type.Object({
        InterfaceName: Type.Optional(
          Type.Union([
            Type.Object({
              SrcName: Type.Optional(Type.String()),
              DstPrefix: Type.Optional(Type.String()),
              DstName: Type.Optional(Type.String()),
              InSandbox: Type.Optional(Type.Boolean(negotiated)),
            }),
            Type.Null(),
          ]),
        ),
        Gateway: Type.Optional(Type.String()),
        GatewayIPv6: Type.Optional(Type.String()),
        StaticRoutes: Type.Optional(Type.Union([Type.Array(StaticRoute), Type.Null()])),
        DisableGatewayService: Type.Optional(Type.Boolean()),
      }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    Leave: {
      about: 'The reverse of Join. One that is away or refuses is asked again, so it may come twice.',
      since: 'Docker 1.9',
      request: Type.Object(Endpoint),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    DiscoverNew: {
      about:
        'A node came: this host itself first, then others. For drivers that connect globally. Docker sends it in a swarm; here an operator names this host by `--node-address` and the others by `--node-list`. May be repeated.',
      since: 'Docker 1.9',
      request: discovery,
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    DiscoverDelete: {
      about: 'Another node left. As DiscoverNew.',
      since: 'Docker 1.9',
      request: discovery,
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    ProgramExternalConnectivity: {
      about: 'Opens published ports. A driver that lacks it has none.',
      request: Type.Object({ ...Endpoint, Options }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    RevokeExternalConnectivity: {
      about: 'The reverse of ProgramExternalConnectivity.',
      request: Type.Object(Endpoint),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    RenameEndpoint: {
      about:
        'Negotiated, see `SharesNames`: all names of an endpoint, instead of those that it had, after a container was renamed. Also for an endpoint that was made before the driver shared names. A driver that is away is told when it is back.',
      request: Type.Object({ ...Endpoint, Names: Type.Array(Type.String()) }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    WatchNames: {
      about:
        'Negotiated, see `SharesNames`: the endpoints of other hosts on a network, by their names. The answer is a stream of lines of JSON. Each is whole, `{"Endpoints":[{"Names":["web"],"Addresses":["10.9.0.2"]}]}`, so that the last one counts: the first comes as soon as the driver knows, and another after each change. A driver that knows nothing yet (it has just started, say) sends no line: what it said before goes on to be answered, also while it is away. An engine asks again after a minute of silence. A line has at most 512 KiB and 4096 endpoints, an endpoint 64 names and 16 addresses. Addresses outside of the network’s subnets are left out, and names that are no DNS names. Names of this host’s own containers come first.',
      request: Type.Object({ NetworkID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
      streams: 'response',
    },
    OpenLinks: {
      about:
        'Negotiated, see `OpensLinks`: all that the endpoint may reach by links, instead of what an earlier call said. Called when either of two linked containers starts, and when a link is removed. A link ends with either endpoint.',
      request: Type.Object({ ...Endpoint, Links: Type.Array(OpenedLink) }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: true,
      optional: true,
    },
  },
} as const satisfies Kind;
