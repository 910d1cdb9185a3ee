import type { UpstreamAddress } from '@cleat/api/proxy/index';
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
}

/** @throws UsageError */
export function parseUpstream(text: string): UpstreamAddress {
  const [, path] = /^unix:\/\/(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) return { kind: 'unix', path };
  const [, host, port] = /^tcp:\/\/(\[[\da-f:.]+\]|[^\s/:]+):(\d{1,5})\/?$/i.exec(text) ?? [];
  if (host !== undefined && Number(port) < 65_536) {
    return { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  }
  throw new UsageError(`invalid argument "${text}" for "--upstream" flag: use unix:///PATH or tcp://HOST:PORT`);
}
