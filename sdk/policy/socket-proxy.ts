import type { AuthorizationRequest } from '@cleat/protocol/kinds/authz';
import type { Decision } from './decide.js';

/**
 * The two widely used socket proxies, by their environment: Tecnativa's docker-socket-proxy (`haproxy.cfg` of 0.4) and
 * linuxserver's (`root/templates/haproxy.cfg` of 2026-08). The lines below are theirs, in their order: the first that
 * fits decides.
 */
export type SocketProxy = 'tecnativa' | 'linuxserver';

interface Line {
  /** On the decoded path, in any case, from its beginning, whatever follows. undefined: any path. */
  readonly path?: RegExp;
  readonly variable?: string;
  /** `unless`: refuses what fits while the variable is not set. */
  readonly does: 'allow' | 'unless' | 'readonly';
}

const version = String.raw`^(/v[\d\.]+)?`;
const name = '[a-zA-Z0-9_.-]+';
const line = (does: Line['does'], variable: string, rest: string): Line => ({
  does,
  variable,
  path: new RegExp(version + rest, 'i'),
});
const readonly: Line = { does: 'readonly', variable: 'POST' };

/** Names that are also the beginning of paths. */
const rooms = (names: string): Line[] =>
  names.split(' ').map((room) => line('allow', room, `/${room === 'PING' ? '_ping' : room.toLowerCase()}`));

const tecnativa: readonly Line[] = [
  readonly,
  line('allow', 'ALLOW_RESTARTS', `/containers/${name}/((stop)|(restart)|(kill))`),
  line('allow', 'ALLOW_START', `/containers/${name}/start`),
  line('allow', 'ALLOW_STOP', `/containers/${name}/stop`),
  ...rooms(
    'AUTH BUILD COMMIT CONFIGS CONTAINERS DISTRIBUTION EVENTS EXEC GRPC IMAGES INFO NETWORKS NODES PING PLUGINS SECRETS SERVICES SESSION SWARM SYSTEM TASKS VERSION VOLUMES',
  ),
];

const either = `(/libpod)?/(containers|pods)/${name}`;
const verbs: readonly (readonly [string, string])[] = [
  ['RESTARTS', '((stop)|(restart)|(kill))'],
  ['START', 'start'],
  ['STOP', 'stop'],
  ['PAUSE', 'pause'],
  ['UNPAUSE', 'unpause'],
];
const linuxserver: readonly Line[] = [
  ...['ARCHIVE', 'CHANGES', 'EXPORT', 'LOGS', 'TOP'].map((what) =>
    line('unless', `ALLOW_${what}`, `${either}/(${what === 'CHANGES' ? 'change' : what.toLowerCase()})`),
  ),
  ...verbs.map(([verb, words]) => line('allow', `ALLOW_${verb}`, `${either}/${words}`)),
  ...verbs.map(([verb, words]) => line('allow', `LIBPOD_ALLOW_${verb}`, `/libpod/containers/${name}/${words}`)),
  ...verbs.map(([verb, words]) => line('allow', `LIBPOD_ALLOW_POD_${verb}`, `/libpod/pods/${name}/${words}`)),
  readonly,
  ...rooms(
    'AUTH BUILD COMMIT CONFIGS CONTAINERS DISTRIBUTION EVENTS EXEC GRPC IMAGES INFO NETWORKS NODES PING PLUGINS SECRETS SERVICES SESSION SWARM SYSTEM TASKS VERSION VOLUMES',
  ),
  ...'CONTAINERS EVENTS EXEC GENERATE IMAGES INFO MANIFESTS NETWORKS PING PLAY PODS SECRETS SYSTEM VERSION VOLUMES'
    .split(' ')
    .map((room) => line('allow', `LIBPOD_${room}`, `/libpod/${room === 'PING' ? '_ping' : room.toLowerCase()}`)),
];

const lines: Readonly<Record<SocketProxy, readonly Line[]>> = { tecnativa, linuxserver };
/** The variables that the images set. */
const defaults: Readonly<Record<SocketProxy, readonly string[]>> = {
  tecnativa: ['EVENTS', 'PING', 'VERSION'],
  linuxserver: ['EVENTS', 'PING', 'VERSION', 'LIBPOD_PING', 'LIBPOD_VERSION'],
};

/** All that decides. */
export function proxyVariables(proxy: SocketProxy): string[] {
  return [...new Set(lines[proxy].flatMap(({ variable }) => variable ?? []))];
}

/**
 * Judges as the proxy does.
 * @param text `KEY=VALUE` lines, as `docker run --env-file` reads them
 */
export function socketProxyOf(proxy: SocketProxy, text: string): (message: AuthorizationRequest) => Decision {
  const given = variablesIn(text);
  const isSet = (variable = ''): boolean => {
    const value = given.get(variable);
    return value === undefined ? defaults[proxy].includes(variable) : isTrue(value);
  };
  return ({ RequestMethod = '', RequestUri = '' }) => {
    const path = decodedPath(RequestUri);
    const looks = RequestMethod === 'GET' || RequestMethod === 'HEAD';
    const wanted: string[] = [];
    for (const { does, variable, path: pattern } of lines[proxy]) {
      const fits = does === 'readonly' ? !looks : path !== undefined && pattern?.test(path);
      if (!fits) continue;
      if (does === 'allow' && isSet(variable)) return verdict(true, variable, `${variable} is set`);
      if (does !== 'allow' && !isSet(variable)) return verdict(false, variable, `${variable} is not set`);
      if (does === 'allow' && variable) wanted.push(variable);
    }
    return verdict(
      false,
      undefined,
      wanted.length > 0 ? `${wanted.join(' and ')} not set` : 'no variable allows this path',
    );
  };
}

const verdict = (allow: boolean, rule: string | undefined, reason: string): Decision => ({
  allow,
  rule,
  reason,
  steps: [],
});

function variablesIn(text: string): Map<string, string> {
  const pairs = text.split('\n').flatMap((raw): [string, string][] => {
    const trimmed = raw.replace(/\r$/, '').trimStart();
    const mark = trimmed.indexOf('=');
    return trimmed.startsWith('#') || mark < 1 ? [] : [[trimmed.slice(0, mark), trimmed.slice(mark + 1)]];
  });
  return new Map(pairs);
}

/** HAProxy's `env(NAME) -m bool`: the number at the beginning of the value is not 0. */
function isTrue(value: string): boolean {
  return Number.parseInt(/^[-+]?\d+/.exec(value)?.[0] ?? '0', 10) !== 0;
}

/** HAProxy's `path,url_dec`; undefined when it cannot be decoded, and then no line about paths fits. */
function decodedPath(uri: string): string | undefined {
  try {
    return decodeURIComponent(uri.replace(/[?#].*$/s, ''));
  } catch {
    return undefined;
  }
}
