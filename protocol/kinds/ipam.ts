import Type from '../schema.js';
import { type Kind, seconds } from './kind.js';

/** Docker's remote IPAM protocol (moby `daemon/libnetwork/ipams/remote`). Its error key is `Error`, not `Err`. */
const Nothing = Type.Object({});
const Options = Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]));

/** Keys of the option maps (moby `daemon/libnetwork/ipamapi`). */
export const ipamOption = {
  /** RequestAddress.Options: the address is meant for the gateway. */
  requestAddressType: 'RequestAddressType',
  gatewayType: 'com.docker.network.gateway',
  macAddress: 'com.docker.network.endpoint.macaddress',
  /** RequestPool.Options, negotiated by Cleat: CIDRs, separated by commas, that are in use on this host. */
  inUse: 'io.cleat.ipam.in-use',
  /** RequestAddress.Options: hand out addresses in ascending order. */
  serial: 'com.docker.network.ipam.serial',
} as const;

export const ipamKind = {
  name: 'IpamDriver',
  errorKey: 'Error',
  methods: {
    GetCapabilities: {
      request: Nothing,
      response: Type.Object({
        RequiresMACAddress: Type.Optional(Type.Boolean()),
        RequiresRequestReplay: Type.Optional(Type.Boolean()),
        /** Negotiated by Cleat: RequestPool reads {@link ipamOption.inUse}. */
        AvoidsBlocksInUse: Type.Optional(Type.Boolean()),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
      optional: true,
    },
    GetDefaultAddressSpaces: {
      request: Nothing,
      response: Type.Object({
        LocalDefaultAddressSpace: Type.String(),
        GlobalDefaultAddressSpace: Type.String(),
      }),
      deadlineMs: seconds(10),
      idempotent: true,
    },
    RequestPool: {
      request: Type.Object({
        AddressSpace: Type.String(),
        /** CIDR, or empty: the driver chooses. */
        Pool: Type.String(),
        SubPool: Type.String(),
        Options,
        V6: Type.Boolean(),
      }),
      response: Type.Object({
        PoolID: Type.String(),
        /** CIDR */
        Pool: Type.String(),
        Data: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
      }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    ReleasePool: {
      request: Type.Object({ PoolID: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
    RequestAddress: {
      request: Type.Object({
        PoolID: Type.String(),
        /** A wished-for address without mask, or empty. */
        Address: Type.String(),
        Options,
      }),
      response: Type.Object({
        /** CIDR */
        Address: Type.String(),
        Data: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
      }),
      deadlineMs: seconds(60),
      idempotent: false,
    },
    ReleaseAddress: {
      request: Type.Object({ PoolID: Type.String(), Address: Type.String() }),
      response: Nothing,
      deadlineMs: seconds(60),
      idempotent: false,
    },
  },
} as const satisfies Kind;
