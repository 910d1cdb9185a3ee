import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { HookStatus, HookTrace } from '@cleat/engine/hooks/service';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { terminalWidth } from '../columns.js';
import { ask } from '../engine/ask.js';
import { type Endpoint, resolveEndpoint } from '../engine/endpoint.js';
import { engineOptions, engineOptionsHelp } from '../engine/options.js';
import { recordedRequest } from './recorded.js';
import { type TestResult, table, testText, traceText } from './text.js';

export const hooksHelp = `
  cleat hooks [list]      the hooks of the engine's file, in the order in which they are asked, and how they fare
  cleat hooks trace       the latest requests that hooks have seen: which hook changed what, how long it took, and
                          why a request was refused; secrets are left out
  cleat hooks test FILE   puts a request to the hooks, without doing it, and shows what would be done. The file, or
                          - for stdin, has JSON, {"Method": "POST", "URL": "/containers/create", "Headers": {…},
                          "Body": {…}, "Caller": {…}}, or a curl command; without a Caller it is you

  -f, --follow            trace: go on as requests come
  -n, --tail NUMBER       trace: only so many of the latest (default 20)
      --id ID             trace: only this request; the engine's log and audit journal name it
      --route ROUTE       trace: only requests of it, such as /containers/create or /containers/**
      --caller TEXT       trace: only callers with this in their description, such as alice or "container web"
      --json              As JSON; of trace a line each
${engineOptionsHelp}`;

/** How often traces that are followed are looked at, in ms. */
const followMs = 500;

/** Options of the command; shells complete them. */
export const hooksOptions = {
  ...engineOptions,
  json: { type: 'boolean' },
  follow: { type: 'boolean', short: 'f' },
  tail: { type: 'string', short: 'n' },
  id: { type: 'string' },
  route: { type: 'string' },
  caller: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/**
 * `cleat hooks`: the engine's request hooks, and what they do.
 * @returns the exit code; of a test 1 when the request is refused
 * @throws InvalidParameter, NotFound, Unavailable
 */
export async function hooksCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: hooksOptions });
  const [verb = 'list', file, ...more] = positionals;
  const { follow, tail, id, route, caller, json = false } = values;
  const isTraced = [follow, tail, id, route, caller].some((one) => one !== undefined);
  if (verb !== 'trace' && isTraced) {
    throw invalidParameter('--follow, --tail, --id, --route and --caller belong to: cleat hooks trace');
  }
  if (verb === 'list' && file === undefined) {
    const all = (await ask(resolveEndpoint(values), '/cleat/hooks')) as HookStatus[];
    print(json ? asJson(all) : table(all, terminalWidth()));
    return 0;
  }
  if (verb === 'trace' && file === undefined) {
    await trace(resolveEndpoint(values), { follow, tail, json, filters: { id, route, caller } });
    return 0;
  }
  if (verb === 'test' && file !== undefined && more.length === 0) {
    return await test(resolveEndpoint(values), file, json);
  }
  throw invalidParameter(`use: cleat hooks [list], trace or test FILE\n${hooksHelp}`);
}

interface TraceOptions {
  readonly follow: boolean | undefined;
  readonly tail: string | undefined;
  readonly json: boolean;
  readonly filters: Readonly<Record<string, string | undefined>>;
}

async function trace(endpoint: Endpoint, { follow, tail = '20', json, filters }: TraceOptions): Promise<void> {
  if (!/^\d{1,6}$/.test(tail)) throw invalidParameter(`--tail takes a number, not ${tail}`);
  const traces = async (more: Record<string, string>): Promise<HookTrace[]> => {
    const query = new URLSearchParams(more);
    for (const [name, value] of Object.entries(filters)) if (value !== undefined) query.set(name, value);
    return (await ask(endpoint, `/cleat/hooks/traces?${query}`)) as HookTrace[];
  };
  const show = (one: HookTrace): void => print(json ? `${JSON.stringify(one)}\n` : traceText(one));
  const first = await traces({ tail });
  for (const one of first) show(one);
  if (first.length === 0 && !follow) {
    process.stderr.write('No request that hooks have seen fits. Requests that concern no hook leave no trace.\n');
  }
  let last = first.at(-1)?.Number ?? 0;
  while (follow) {
    await sleep(followMs);
    for (const one of await traces({ after: String(last) })) {
      show(one);
      last = one.Number;
    }
  }
}

async function test(endpoint: Endpoint, file: string, json: boolean): Promise<number> {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw invalidParameter(`cannot read the request: ${messageOf(error)}`);
  }
  const request = JSON.stringify(recordedRequest(text));
  const result = (await ask(endpoint, '/cleat/hooks/test', {
    method: 'POST',
    body: { stream: Readable.from([request]), type: 'application/json' },
    deadlineMs: 60_000,
  })) as TestResult;
  print(json ? asJson(result) : testText(result));
  return result.Refusal ? 1 : 0;
}

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}
