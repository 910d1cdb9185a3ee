import Type from '../schema.js';
import { type Kind, negotiated, seconds } from './kind.js';

const Nothing = Type.Object({});
const Options = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]));

const HolderOptions = Type.Optional(
  Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()], {
    ...negotiated,
    description: 'The option `io.cleat.ipam.holder`, in place of what is not named.',
  }),
);

/** Keys of the option maps (moby `daemon/libnetwork/ipamapi`). */
export const ipamOption = {
  /** RequestAddress.Options: the address is meant for the gateway. */
  requestAddressType: 'RequestAddressType',
  gatewayType: 'com.docker.network.gateway',
  /** RequestAddress.Options: the container's name. */
  endpointName: 'com.docker.network.endpoint.name',
  /** RequestAddress.Options, for drivers that declare `RequiresMACAddress`. */
  macAddress: 'com.docker.network.endpoint.macaddress',
  /** RequestPool.Options, negotiated by Cleat: CIDRs, separated by commas, that are in use on this host. */
  inUse: 'io.cleat.ipam.in-use',
  /**
   * Negotiated by Cleat: for whom a pool or an address is, the ID of a network or endpoint. In what is released it stands
   * for the pool or address that is not named: an engine that was killed never learnt what it was given.
   */
  holder: 'io.cleat.ipam.holder',
  /**
   * RequestPool.Options, negotiated by Cleat: the network that the pool is for, as JSON of {@link NetworkOfPool}.
   */
  network: 'io.cleat.ipam.network',
  /** RequestAddress.Options, negotiated by Cleat: the host name that its user gave the container. */
  hostName: 'io.cleat.ipam.host-name',
  /** RequestAddress.Options: hand out addresses in ascending order. */
  serial: 'com.docker.network.ipam.serial',
} as const;

/** The network that a pool is for, as an IPAM driver is told of it. */
export interface NetworkOfPool {
  Name: string;
  /** The network driver. */
  Driver: string;
  /** The user's `-o` options. */
  Options: Record<string, string>;
}

export const ipamKind = {
  label: 'ipam',
  name: 'IpamDriver',
  version: 1,
  title: 'Addresses',
  called: 'IPAM driver',
  does: 'says which subnet and address is whose',
  neededToStart: true,
  stockDocker: 'found or installed',
  errorKey: 'Error',
  about:
    'Addresses: which subnet a network gets, and which address a container. Docker’s remote IPAM protocol (moby `daemon/libnetwork/ipams/remote`). Its error key is `Error`.',
  negotiated: [
    '`GetCapabilities.AvoidsBlocksInUse`: then `RequestPool.Options["io.cleat.ipam.in-use"]` lists the CIDRs, separated by commas, that are in use on this host.',
    '`GetCapabilities.KnowsHolders`: then requests tell in `Options["io.cleat.ipam.holder"]` for whom they are, and `ReleasePool` with an empty `PoolID`, or `ReleaseAddress` with an empty `Address`, gives back whatever that holder has.',
    '`GetCapabilities.KnowsNetworks`: then `RequestPool.Options["io.cleat.ipam.network"]` tells of the network that the pool is for, as a JSON object: `Name`, `Driver` and `Options`, the `-o` options of `docker network create`.',
    '`GetCapabilities.KnowsHostNames`: then `RequestAddress.Options["io.cleat.ipam.host-name"]` is the host name that its user gave the container (`docker run --hostname`); without one the option is missing.',
  ],
  methods: {
    GetCapabilities: {
      about: 'What the driver needs to know.',
      request: Nothing,
      response: Type.Object({
        RequiresMACAddress: Type.Optional(Type.Boolean()),
        RequiresRequestReplay: Type.Optional(Type.Boolean()),
        AvoidsBlocksInUse: Type.Optional(
          Type.Boolean({ ...negotiated, description: 'RequestPool reads the option `io.cleat.ipam.in-use`.' }),
        ),
        KnowsHolders: Type.Optional(
          Type.Boolean({ ...negotiated, description: 'The option `io.cleat.ipam.holder` is understood.' }),
        ),
        KnowsNetworks: Type.Optional(
          Type.Boolean({ ...negotiated, description: 'RequestPool reads the option `io.cleat.ipam.network`.' }),
        ),
        KnowsHostNames: Type.Optional(
          Type.Boolean({ ...negotiated, description: 'RequestAddress reads the option `io.cleat.ipam.host-name`.' }),
        ),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    GetDefaultAddressSpaces: {
      about:
        'Names of the address spaces for networks of this host and of a cluster. Where they are the same, pools may be in use on this host already: they are not its own.',
      since: 'Docker 1.9',
      request: Nothing,
      response: Type.Object({
        LocalDefaultAddressSpace: Type.String(),
        GlobalDefaultAddressSpace: Type.String(),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    RequestPool: {
      about: 'Reserves a subnet for a network.',
      since: 'Docker 1.9',
      request: Type.Object({
        AddressSpace: Type.String(),
        Pool: Type.String({ description: 'CIDR, or empty: the driver chooses.' }),
        SubPool: Type.String(),
        Options,
        V6: Type.Boolean(),
      }),
      response: Type.Object({
        PoolID: Type.String(),
        Pool: Type.String({ description: 'CIDR' }),
        Data: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
      }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    ReleasePool: {
      about: 'Gives it back.',
      since: 'Docker 1.9',
      request: Type.Object({ PoolID: Type.String(), Options: HolderOptions }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    RequestAddress: {
      about:
        'Reserves an address of a subnet. The option `RequestAddressType: com.docker.network.gateway` asks for the gateway’s.',
      since: 'Docker 1.9',
      request: Type.Object({
        PoolID: Type.String(),
        Address: Type.String({ description: 'The requested address without mask, or empty.' }),
        Options,
      }),
      response: Type.Object({
        Address: Type.String({ description: 'CIDR; empty: none, of a pool that stands for everything (`0.0.0.0/0`).' }),
        Data: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
      }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    ReleaseAddress: {
      about: 'Gives it back.',
      since: 'Docker 1.9',
      request: Type.Object({ PoolID: Type.String(), Address: Type.String(), Options: HolderOptions }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
  },
} as const satisfies Kind;
