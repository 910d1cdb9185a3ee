import Type, { type Static } from '../schema.js';
import { type Kind, seconds } from './kind.js';

/**
 * Docker's remote network driver protocol (moby `daemon/libnetwork/drivers/remote`). The driver answers with interfaces;
 * the engine moves `SrcName` into the container's sandbox, names it `DstPrefix`N and configures address and routes.
 *
 * Negotiated by Cleat, invisible to others:
 * - `GetCapabilities.Sandbox`: `host` means "no sandbox of its own, use the host's network" and `none` "a sandbox with
 *   only loopback"; both answer Join with no interface. Missing means `own`.
 * - `GetCapabilities.ServesPublishedPorts` and `EndpointOperInfo.Value["com.docker.network.portmap"]`: a JSON array of
 *   {@link PortBinding} with the host ports that were really assigned.
 * - `GetCapabilities.LinksDieWithSandbox`: the driver's interfaces vanish with the namespace that they were moved to
 *   (veth, macvlan, …), so the engine need not move them back to the host before it removes a sandbox.
 * - `GetCapabilities.JoinsInSandbox`: then `Join.Options["io.cleat.sandbox.pid"]` is a process in the sandbox's
 *   namespace, the driver may make its interface in there, and says so by `InterfaceName.InSandbox`. Making it there
 *   takes a millisecond; moving it, with the kernel's routing lock held, up to thirty.
 */
const Nothing = Type.Object({});
/** Generic options; labels arrive under `com.docker.network.generic`, port maps under `com.docker.network.portmap`. */
const Options = Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]));
const Endpoint = { NetworkID: Type.String(), EndpointID: Type.String() };

export const IpamData = Type.Object({
  AddressSpace: Type.Optional(Type.String()),
  /** CIDR */
  Pool: Type.Optional(Type.String()),
  /** The gateway as CIDR, for example `172.18.0.1/16`. */
  Gateway: Type.Optional(Type.String()),
  AuxAddresses: Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()])),
});
export type IpamData = Static<typeof IpamData>;

export const EndpointInterface = Type.Object({
  /** CIDR */
  Address: Type.Optional(Type.String()),
  /** CIDR */
  AddressIPv6: Type.Optional(Type.String()),
  MacAddress: Type.Optional(Type.String()),
});
export type EndpointInterface = Static<typeof EndpointInterface>;

export const PortBinding = Type.Object({
  /** 6 tcp, 17 udp, 132 sctp */
  Proto: Type.Integer(),
  Port: Type.Integer(),
  HostIP: Type.Optional(Type.String()),
  HostPort: Type.Optional(Type.Integer()),
  HostPortEnd: Type.Optional(Type.Integer()),
});
export type PortBinding = Static<typeof PortBinding>;

export const StaticRoute = Type.Object({
  /** CIDR */
  Destination: Type.String(),
  /** 0: via NextHop; 1: directly connected. */
  RouteType: Type.Optional(Type.Integer()),
  NextHop: Type.Optional(Type.String()),
});
export type StaticRoute = Static<typeof StaticRoute>;

/** Keys of the option maps (moby `daemon/libnetwork/netlabel`). */
export const netlabel = {
  /** CreateNetwork: the user's `-o` options as a string map. */
  generic: 'com.docker.network.generic',
  /** CreateEndpoint and ProgramExternalConnectivity: {@link PortBinding}[] wished for. */
  portMap: 'com.docker.network.portmap',
  exposedPorts: 'com.docker.network.endpoint.exposedports',
  macAddress: 'com.docker.network.endpoint.macaddress',
  enableIPv6: 'com.docker.network.enable_ipv6',
  internal: 'com.docker.network.internal',
  bridgeName: 'com.docker.network.bridge.name',
  defaultBridge: 'com.docker.network.bridge.default_bridge',
  enableIcc: 'com.docker.network.bridge.enable_icc',
  enableIpMasquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostBinding: 'com.docker.network.bridge.host_binding_ipv4',
  mtu: 'com.docker.network.driver.mtu',
  /** Join, negotiated: a process in the sandbox's namespace. */
  sandboxPid: 'io.cleat.sandbox.pid',
} as const;

export const networkKind = {
  name: 'NetworkDriver',
  errorKey: 'Err',
  methods: {
    GetCapabilities: {
      request: Nothing,
      response: Type.Object({
        /** `local` or `global` */
        Scope: Type.Optional(Type.String()),
        ConnectivityScope: Type.Optional(Type.String()),
        GwAllocChecker: Type.Optional(Type.Boolean()),
        Sandbox: Type.Optional(Type.Union([Type.Literal('own'), Type.Literal('host'), Type.Literal('none')])),
        ServesPublishedPorts: Type.Optional(Type.Boolean()),
        LinksDieWithSandbox: Type.Optional(Type.Boolean()),
        JoinsInSandbox: Type.Optional(Type.Boolean()),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    GwAllocCheck: {
      request: Type.Object({ Options }),
      response: Type.Object({ SkipIPv4: Type.Optional(Type.Boolean()), SkipIPv6: Type.Optional(Type.Boolean()) }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    AllocateNetwork: {
      request: Type.Object({
        NetworkID: Type.String(),
        Options: Type.Optional(Type.Record(Type.String(), Type.String())),
        IPv4Data: Type.Array(IpamData),
        IPv6Data: Type.Array(IpamData),
      }),
      response: Type.Object({ Options: Type.Optional(Type.Record(Type.String(), Type.String())) }),
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    FreeNetwork: {
      request: Type.Object({ NetworkID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    CreateNetwork: {
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
      request: Type.Object({ NetworkID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    CreateEndpoint: {
      request: Type.Object({
        ...Endpoint,
        Interface: Type.Optional(Type.Union([EndpointInterface, Type.Null()])),
        Options,
      }),
      /** What the driver chose itself; it must not change what the request already set. */
      response: Type.Object({ Interface: Type.Optional(Type.Union([EndpointInterface, Type.Null()])) }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    DeleteEndpoint: { request: Type.Object(Endpoint), response: Nothing, deadlineMs: seconds(60), idempotent: false },
    EndpointOperInfo: {
      request: Type.Object(Endpoint),
      response: Type.Object({ Value: Options }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    Join: {
      request: Type.Object({ ...Endpoint, SandboxKey: Type.String(), Options }),
      response: Type.Object({
        InterfaceName: Type.Optional(
          Type.Union([
            Type.Object({
              SrcName: Type.Optional(Type.String()),
              DstPrefix: Type.Optional(Type.String()),
              DstName: Type.Optional(Type.String()),
              InSandbox: Type.Optional(Type.Boolean()),
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
    Leave: { request: Type.Object(Endpoint), response: Nothing, deadlineMs: seconds(60), idempotent: false },
    DiscoverNew: {
      request: Type.Object({ DiscoveryType: Type.Integer(), DiscoveryData: Type.Unknown() }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    DiscoverDelete: {
      request: Type.Object({ DiscoveryType: Type.Integer(), DiscoveryData: Type.Unknown() }),
      response: Nothing,
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    ProgramExternalConnectivity: {
      request: Type.Object({ ...Endpoint, Options }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
    RevokeExternalConnectivity: {
      request: Type.Object(Endpoint),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
      optional: true,
    },
  },
} as const satisfies Kind;
