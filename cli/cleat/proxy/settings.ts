import type { UpstreamAddress, UpstreamTls } from '@cleat/api/proxy/index';
import { UsageError } from '../../cleatd/options/parse.js';
import type { Settings } from '../../cleatd/settings.js';

/** The fate of pages that this API does not have; `auto`: they pass as long as nobody judges. */
export type UnknownRoutes = 'auto' | 'pass' | 'refuse';

export interface ProxySettings {
  readonly upstream: UpstreamAddress;
  /** As it was given. */
  readonly upstreamText: string;
  readonly unknownRoutes: UnknownRoutes;
  /** Reads flags and file again. @throws UsageError */
  readonly load: () => Promise<Settings>;
  /** Reads the upstream's certificates again, for connections that are made from now on. @throws UsageError */
  readonly renewTls: () => void;
}

/** @param tls for an address of TCP; undefined: none is wanted @throws UsageError */
export function parseUpstream(text: string, tls: UpstreamTls | undefined): UpstreamAddress {
  const [, path] = /^unix:\/\/(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) {
    if (tls) throw new UsageError(`--upstream-tls is for tcp://HOST:PORT: ${text} has none`);
    return { kind: 'unix', path };
  }
  const [, host, port] = /^tcp:\/\/(\[[\da-f:.]+\]|[^\s/:]+):(\d{1,5})\/?$/i.exec(text) ?? [];
  if (host !== undefined && Number(port) < 65_536) {
    return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port), tls };
  }
  if (text.startsWith('ssh://')) {
    throw new UsageError(
      `invalid argument "${text}" for "--upstream" flag: each connection would be a login of root’s; forward the socket ` +
        'once, with ssh -nNT -L /run/remote.sock:/var/run/docker.sock HOST, and use unix:///run/remote.sock',
    );
  }
  throw new UsageError(`invalid argument "${text}" for "--upstream" flag: use unix:///PATH or tcp://HOST:PORT`);
}
