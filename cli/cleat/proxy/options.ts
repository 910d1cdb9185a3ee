import type { ParseArgsConfig } from 'node:util';
import { byFlag, options as daemonOptions } from '../../cleatd/options/table.js';

/** Options that mean the same to the proxy as to the daemon, and are read in the same way, from flags and file. */
export const shared = [
  'host',
  'group',
  'tls',
  'tlsverify',
  'tlscacert',
  'tlscert',
  'tlskey',
  'insecure-tcp',
  'hooks',
  'authorization-plugin',
  'plugin-dir',
  'extension',
  'extension-manifest',
  'audit',
  'audit-opt',
  'config-file',
  'data-root',
  'exec-root',
  'pidfile',
  'debug',
  'log-level',
  'log-format',
] as const;

/** Where the proxy's own differ: an engine may run beside it. */
export const defaults = {
  'config-file': '/etc/cleat/proxy.json',
  'data-root': '/var/lib/cleat-proxy',
  'exec-root': '/run/cleat-proxy',
  pidfile: '/run/cleat-proxy.pid',
} as const;

type Options = NonNullable<ParseArgsConfig['options']>;

/** The options of the proxy alone. */
export const ownOptions = {
  upstream: { type: 'string' },
  'upstream-tls': { type: 'boolean' },
  'upstream-tlsverify': { type: 'boolean' },
  'upstream-tlscacert': { type: 'string' },
  'upstream-tlscert': { type: 'string' },
  'upstream-tlskey': { type: 'string' },
  'unknown-routes': { type: 'string' },
} as const satisfies Options;

/** Options of the command; shells complete them. */
export const proxyOptions: Options = {
  ...ownOptions,
  ...Object.fromEntries(
    shared.map((flag) => {
      const { type, short } = byFlag.get(flag) ?? {};
      return [flag, { type: type === 'bool' ? ('boolean' as const) : ('string' as const), ...(short && { short }) }];
    }),
  ),
};

export const proxyHelp = `
      --upstream ADDRESS         The engine: unix:///PATH or tcp://HOST:PORT (default unix:///var/run/docker.sock)
      --upstream-tls             Use TLS towards it; implied by the following
      --upstream-tlsverify       Use TLS, and verify the engine
      --upstream-tlscacert FILE  The CA that signed its certificate (default ca.pem in $DOCKER_CERT_PATH or ~/.docker)
      --upstream-tlscert FILE    The certificate that the proxy shows to it (default cert.pem there)
      --upstream-tlskey FILE     Its key (default key.pem there)
      --unknown-routes WHAT      Pages of the API that are not known here: refuse, pass, or auto (default), which
                                 passes them as long as there is no hook and no authorizer

The same as of cleatd, as flags or in the configuration file; at least one --host is needed:
${daemonOptions
  .filter(({ flag }) => shared.some((one) => one === flag))
  .map(({ flag, short, help }) => {
    const name = `${short ? `-${short}, ` : '    '}--${flag}`;
    const own = Object.entries(defaults).find(([one]) => one === flag)?.[1];
    return `  ${name.padEnd(26)} ${help.replace(/ \(default [^)]*\)$/, '')}${own ? ` (default ${own})` : ''}`;
  })
  .join('\n')}
`;
