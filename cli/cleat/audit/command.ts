import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { printable } from '@cleat/engine/audit/line';
import type { AuditQuery } from '@cleat/engine/audit/service';
import { parseMoment } from '@cleat/engine/time';
import { invalidParameter } from '@cleat/protocol/errors';
import { resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { fromEngine, fromFiles } from './source.js';
import { recordText } from './text.js';

export const auditHelp = `
      --since TIME, --until TIME
                         RFC 3339, seconds since the epoch, or how long ago: 10m, 24h
      --user NAME        A certificate's common name, or a user of this host, by name or number
      --container NAME   Asked about, or asking: its name, or the first digits of its ID
      --method METHOD    GET, POST, PUT, HEAD or DELETE
      --route PATTERN    '/containers/create', '/containers/*/start'; a star stands for anything
      --status STATUS    404, or 4xx
      --denied           Only what a hook or an authorizer denied; also --decision denied
      --decision NAME    allowed, failed, denied, refused or open
      --id ID            The request's name in the engine's log
  -n, --last NUMBER      Only so many of the latest ones
  -f, --follow           Go on as requests come
      --json             As lines of JSON
      --data-root DIR    Read an engine's files, whether it runs or not; else the engine is asked
${engineOptionsHelp}`;

/** Options of the command; shells complete them. */
export const auditOptions = {
  ...engineOptions,
  since: { type: 'string' },
  until: { type: 'string' },
  user: { type: 'string' },
  container: { type: 'string' },
  method: { type: 'string' },
  route: { type: 'string' },
  status: { type: 'string' },
  denied: { type: 'boolean' },
  decision: { type: 'string' },
  id: { type: 'string' },
  last: { type: 'string', short: 'n' },
  follow: { type: 'boolean', short: 'f' },
  json: { type: 'boolean' },
  'data-root': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat audit`: who asked an engine for what, who decided, and what came of it.
 * @throws InvalidParameter, Unavailable
 */
export async function auditCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: auditOptions });
  if (positionals.length > 0) throw invalidParameter('use: cleat audit [OPTION…] [-H HOST | --data-root DIR]');
  const { since, until, user, container, method, route, status, id, last, follow } = values;
  if (values.denied && values.decision !== undefined && values.decision !== 'denied') {
    throw invalidParameter('--denied and --decision say different things');
  }
  if (last !== undefined && !/^\d{1,6}$/.test(last)) throw invalidParameter(`-n takes a number, not ${last}`);
  const query: AuditQuery = {
    ...given({ user, container, method, route, status, id, follow }),
    ...given({ decision: values.denied ? 'denied' : values.decision }),
    ...given({ since: since && ms(since), until: until && ms(until), last: last && Number(last) }),
  };
  const directory = values['data-root'];
  const records =
    directory === undefined ? fromEngine(resolveEndpoint(values), query) : fromFiles(join(directory, 'audit'), query);
  const isTty = process.stdout.isTTY === true;
  for await (const record of records) {
    process.stdout.write(values.json ? printable(record) : recordText(record, isTty));
  }
  return 0;
}

const ms = (text: string): number => Number(parseMoment(text) / 1_000_000n);

/** Without what was not said. */
function given(all: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
