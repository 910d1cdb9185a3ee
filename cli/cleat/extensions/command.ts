import { parseArgs } from 'node:util';
import type { ExtensionStatus } from '@cleat/extensions/service';
import { invalidParameter } from '@cleat/protocol/errors';
import { defaultSocket } from '../../cleatd/hosts.js';
import { ask } from './ask.js';
import { details, table } from './text.js';

/** An extension as it comes over the wire: moments are texts there. */
export type Shown = Omit<ExtensionStatus, 'since' | 'waitsUntil' | 'suspendedUntil' | 'lastError' | 'process'> & {
  readonly since: string;
  readonly waitsUntil?: string;
  readonly suspendedUntil?: string;
  readonly lastError?: Omit<NonNullable<ExtensionStatus['lastError']>, 'at'> & { readonly at: string };
  readonly process?: Omit<NonNullable<ExtensionStatus['process']>, 'since'> & { readonly since: string };
};

const usage =
  'use: cleat extensions ls [-H HOST] [--json], or cleat extensions inspect NAME [--kind KIND] [-H HOST] [--json]';

/** `cleat extensions`: what the engine at -H or DOCKER_HOST knows of its extensions. @throws InvalidParameter, NotFound, Unavailable */
export async function extensionsCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      host: { type: 'string', short: 'H' },
      json: { type: 'boolean' },
      format: { type: 'string' },
      kind: { type: 'string' },
    },
  });
  if (values.format !== undefined && values.format !== 'json') throw invalidParameter('--format knows json only');
  const json = values.json === true || values.format === 'json';
  const host = values.host ?? process.env.DOCKER_HOST ?? `unix://${defaultSocket}`;
  const [verb, name, ...more] = positionals;
  if (verb === 'ls' && name === undefined) {
    const all = (await ask(host, '/cleat/extensions')) as Shown[];
    print(json ? asJson(all) : table(all));
  } else if (verb === 'inspect' && name !== undefined && more.length === 0) {
    const query = values.kind === undefined ? '' : `?kind=${encodeURIComponent(values.kind)}`;
    const one = (await ask(host, `/cleat/extensions/${encodeURIComponent(name)}${query}`)) as Shown;
    print(json ? asJson(one) : details(one));
  } else {
    throw invalidParameter(usage);
  }
  return 0;
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}
