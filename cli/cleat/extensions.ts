import { request } from 'node:http';
import { parseArgs } from 'node:util';
import { invalidParameter, unavailable } from '@cleat/protocol/errors';
import { defaultSocket, parseHost } from '../cleatd/hosts.js';

interface ExtensionRow {
  name: string;
  kinds: string[];
  carrier: string;
  origin: string;
  state: string;
  reason: string;
}

/** `cleat extensions ls`: what the engine at -H or DOCKER_HOST knows of its extensions. */
export async function listExtensions(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { host: { type: 'string', short: 'H' }, json: { type: 'boolean' } },
  });
  if (positionals.length !== 1 || positionals[0] !== 'ls') throw invalidParameter('use: cleat extensions ls');
  const rows = await ask(values.host ?? process.env.DOCKER_HOST ?? `unix://${defaultSocket}`);
  process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
  return 0;
}

async function ask(text: string): Promise<ExtensionRow[]> {
  const host = parseHost(text, false);
  const target =
    host.kind === 'unix'
      ? { socketPath: host.path }
      : host.kind === 'tcp'
        ? { host: host.host, port: host.port }
        : undefined;
  if (target === undefined) throw invalidParameter(`${text} is not an address to connect to`);
  const body = await new Promise<string>((resolve, reject) => {
    const sent = request({ ...target, path: '/cleat/extensions', timeout: 10_000 }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
      });
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve(answer);
        else reject(unavailable(`${text} answered ${response.statusCode}: is it a Cleat engine?`));
      });
    });
    sent.on('timeout', () => sent.destroy(unavailable(`${text} does not answer`)));
    sent.on('error', (error) => reject(unavailable(`no engine answers on ${text} (${error.message})`)));
    sent.end();
  });
  return JSON.parse(body) as ExtensionRow[];
}

function table(rows: readonly ExtensionRow[]): string {
  const lines = [
    ['NAME', 'KINDS', 'CARRIER', 'STATE', 'WHY', 'ORIGIN'],
    ...rows.map((row) => [row.name, row.kinds.join(','), row.carrier, row.state, row.reason || '-', row.origin]),
  ];
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return `${lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')}\n`;
}
