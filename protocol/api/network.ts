import Type, { embedded, go, type Static } from '../schema.js';
import { int, nullable, StringMap, Strings } from './parts.js';

/** The Engine API's network objects. */
export const EndpointSettings = Type.Object(
  {
    IPAMConfig: nullable(
      Type.Object(
        {
          IPv4Address: Type.Optional(Type.String()),
          IPv6Address: Type.Optional(Type.String()),
          LinkLocalIPs: nullable(Strings),
        },
        go('network.EndpointIPAMConfig'),
      ),
    ),
    Links: nullable(Strings),
    Aliases: nullable(Strings),
    MacAddress: Type.Optional(Type.String()),
    DriverOpts: nullable(StringMap),
    GwPriority: int,
    NetworkID: Type.Optional(Type.String()),
    EndpointID: Type.Optional(Type.String()),
    Gateway: Type.Optional(Type.String()),
    IPAddress: Type.Optional(Type.String()),
    IPPrefixLen: int,
    IPv6Gateway: Type.Optional(Type.String()),
    GlobalIPv6Address: Type.Optional(Type.String()),
    GlobalIPv6PrefixLen: int,
    DNSNames: nullable(Strings),
  },
  go('network.EndpointSettings'),
);
export type EndpointSettings = Static<typeof EndpointSettings>;

export const IpamConfig = Type.Object(
  {
    Subnet: Type.Optional(Type.String()),
    IPRange: Type.Optional(Type.String()),
    Gateway: Type.Optional(Type.String()),
    AuxiliaryAddresses: nullable(StringMap),
    /** As clients of 2015 spelled it. */
    AuxAddress: nullable(StringMap),
  },
  go('network.IPAMConfig'),
);
export type IpamConfig = Static<typeof IpamConfig>;

export const Ipam = Type.Object(
  {
    Driver: Type.Optional(Type.String()),
    Options: nullable(StringMap),
    Config: nullable(Type.Array(IpamConfig)),
  },
  go('network.IPAM'),
);

/** Body of `POST /networks/create`. */
export const NetworkCreateRequest = Type.Object(
  {
    Name: Type.Optional(Type.String()),
    ...embedded('NetworkCreate', {
      CheckDuplicate: Type.Optional(Type.Boolean()),
      Driver: Type.Optional(Type.String()),
      Scope: Type.Optional(Type.String()),
      Internal: Type.Optional(Type.Boolean()),
      Attachable: Type.Optional(Type.Boolean()),
      Ingress: Type.Optional(Type.Boolean()),
      ConfigOnly: Type.Optional(Type.Boolean()),
      ConfigFrom: nullable(Type.Object({ Network: Type.Optional(Type.String()) }, go('network.ConfigReference'))),
      EnableIPv4: nullable(Type.Boolean()),
      EnableIPv6: nullable(Type.Boolean()),
      IPAM: nullable(Ipam),
      Options: nullable(StringMap),
      Labels: nullable(StringMap),
    }),
  },
  go('types.NetworkCreateRequest'),
);
export type NetworkCreateRequest = Static<typeof NetworkCreateRequest>;

/** Body of `POST /networks/{id}/connect`. */
export const NetworkConnectRequest = Type.Object(
  {
    Container: Type.Optional(Type.String()),
    EndpointConfig: nullable(EndpointSettings),
  },
  go('types.NetworkConnect'),
);

/** Body of `POST /networks/{id}/disconnect`. */
export const NetworkDisconnectRequest = Type.Object(
  {
    Container: Type.Optional(Type.String()),
    Force: Type.Optional(Type.Boolean()),
  },
  go('types.NetworkDisconnect'),
);

/** API 1.52, in the answer of inspect. Numbers are uint64, and end there. */
export interface NetworkStatus {
  IPAM: { Subnets?: Record<string, { IPsInUse: bigint; DynamicIPsAvailable: bigint }> };
  /** Cleat's own: what the network's driver reserved on all hosts. Absent: it reserves nothing. */
  Allocation?: Record<string, string>;
}

/** A row of `GET /networks`; `Containers` and `Status` are inspect's only. */
export interface NetworkResource {
  Name: string;
  Id: string;
  /** RFC 3339 with nanoseconds. */
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: { Driver: string; Options: Record<string, string> | null; Config: IpamConfig[] | null };
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<
    string,
    { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }
  >;
  Options: Record<string, string>;
  Labels: Record<string, string>;
  Status?: NetworkStatus;
}
