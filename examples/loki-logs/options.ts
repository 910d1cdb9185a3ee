import type { LogInfo } from '@cleat/protocol/kinds/log';
import { parseBinarySize } from '@cleat/protocol/size';
import { invalidParameter } from '@cleat/sdk';
import { attributeOptions, attributesOf, checkNames, tagOf } from '@cleat/sdk/logs';

export interface LokiOptions {
  /** ID of the container. */
  container: string;
  /** Its name, without a slash. */
  name: string;
  url: string;
  headers: Record<string, string>;
  /** Labels of all its lines; `source` comes with each. */
  labels: Record<string, string>;
  /** How much goes into one request. */
  batchBytes: number;
  /** How long a line waits for others. */
  batchWaitMs: number;
  /** How much may wait for Loki. */
  backlogBytes: number;
}

type Pair = [name: string, value: string];

const own = ['loki-url', 'loki-tenant', 'loki-labels', 'loki-batch-size', 'loki-batch-wait', 'loki-backlog'];
const pushPath = '/loki/api/v1/push';

/** @throws InvalidParameter */
export function lokiOptions(info: LogInfo): LokiOptions {
  const config = info.Config ?? {};
  const known = [...own, ...attributeOptions];
  checkNames(info, known, (name) => `loki-logs has no option ${name}; it has ${known.join(', ')}`);
  const batchBytes = sizeOf('loki-batch-size', config['loki-batch-size'] ?? '1m');
  const backlogBytes = sizeOf('loki-backlog', config['loki-backlog'] ?? '16m');
  if (backlogBytes < 2 * batchBytes) throw invalidParameter('loki-backlog must be at least twice loki-batch-size');
  return {
    container: info.ContainerID,
    name: info.ContainerName.replace(/^\//, ''),
    ...endpointOf(config['loki-url'], config['loki-tenant']),
    labels: labelsOf(info, config['loki-labels'] ?? ''),
    batchBytes,
    batchWaitMs: millisecondsOf(config['loki-batch-wait'] ?? '1s'),
    backlogBytes,
  };
}

function endpointOf(text: string | undefined, tenant: string | undefined): Pick<LokiOptions, 'url' | 'headers'> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (text === undefined) throw invalidParameter('loki-logs needs the option loki-url, such as http://loki:3100');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    // Not what was given: it may hold a password.
    throw invalidParameter('loki-url must be of the form http://HOST:PORT or https://HOST:PORT');
  }
  if (url.pathname === '/') url.pathname = pushPath;
  if (url.username !== '') {
    const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    url.username = '';
    url.password = '';
  }
  if (tenant !== undefined) {
    // Loki takes only these characters in a tenant's name.
    if (!/^[\w!.*'()-]{1,150}$/.test(tenant)) throw invalidParameter(`loki-tenant cannot be '${tenant}'`);
    headers['x-scope-orgid'] = tenant;
  }
  return { url: url.href, headers };
}

/** @throws InvalidParameter */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw invalidParameter('in the user and password of loki-url, write %25 for %', { cause });
  }
}

/** The user's labels, then those for all, then the origin of the output, so that nobody can pretend to be another. */
function labelsOf(info: LogInfo, fixed: string): Record<string, string> {
  const selected = Object.entries(attributesOf(info)).map(([name, value]): Pair => [labelName(name), value]);
  const said = fixed.split(',').filter(Boolean).map(pairOf);
  const labels: Record<string, string> = {
    ...Object.fromEntries([...selected, ...said]),
    ...(info.Config?.tag ? { tag: tagOf(info, '') } : {}),
    container: info.ContainerName.replace(/^\//, ''),
    image: info.ContainerImageName ?? '',
  };
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));
}

/** Loki takes letters, digits and `_`. */
const labelName = (name: string): string => name.replace(/^(?=\d)/, '_').replace(/\W/g, '_');

function pairOf(text: string): Pair {
  const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw invalidParameter(
      `loki-labels takes NAME=VALUE,NAME=VALUE with names of letters, digits and _, not '${text}'`,
    );
  }
  return [name, value];
}

function sizeOf(option: string, text: string): number {
  const bytes = parseBinarySize(text);
  if (!bytes || bytes > 2 ** 30) throw invalidParameter(`${option} must be a size such as 512k or 1m, not '${text}'`);
  return bytes;
}

function millisecondsOf(text: string): number {
  const [, digits, unit] = /^(\d{1,5})(ms|s)$/.exec(text) ?? [];
  if (digits === undefined) throw invalidParameter(`loki-batch-wait must be a time such as 500ms or 2s, not '${text}'`);
  return Number(digits) * (unit === 's' ? 1000 : 1);
}
