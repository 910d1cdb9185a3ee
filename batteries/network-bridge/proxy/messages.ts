import type { PublishedPort } from '@cleat/linux/firewall/ruleset';

/** The driver's requests to its proxy process; each is answered once, in any order. */
export type ProxyRequest = { id: number; open: PublishedPort } | { id: number; close: PublishedPort };

/** `code`: why it failed, for example EADDRINUSE. */
export interface ProxyReply {
  id: number;
  code?: string;
}

export const keyOf = ({ protocol, hostIp, hostPort }: PublishedPort): string => `${protocol} ${hostIp} ${hostPort}`;
