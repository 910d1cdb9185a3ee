import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Account } from './account.js';
import { authzKind } from './authz.js';
import { ipamKind } from './ipam.js';
import type { ScriptedKind, Surroundings } from './kind.js';
import { logKind } from './log.js';
import { type Answer, type Misbehaviour, misbehave, send } from './misbehaviour.js';
import { networkKind } from './network.js';
import { volumeKind } from './volume.js';

/**
 * A plugin of any one kind that behaves well, keeps an account of what it was asked for, and misbehaves on command.
 * Written on node:http and not on the SDK, so that it can be wrong on the wire.
 *
 *   main.js --kind volume --socket /run/plugins/x.sock --directory DIR [--option TEXT]
 *
 * Commands come over DIR/control: GET /account; PUT /misbehaviour with a list, empty to behave again; PUT /forgotten
 * with keys of the account that are to be closed.
 */
const kinds: Record<string, (surroundings: Surroundings) => ScriptedKind> = {
  volume: volumeKind,
  network: networkKind,
  ipam: ipamKind,
  log: logKind,
  authz: authzKind,
};

const { values } = parseArgs({
  options: {
    kind: { type: 'string', default: '' },
    socket: { type: 'string', default: '' },
    directory: { type: 'string', default: '' },
    option: { type: 'string', default: '' },
  },
});
const { socket, directory, option } = values;
mkdirSync(directory, { recursive: true });
const account = new Account(join(directory, 'account.jsonl'));
const make = kinds[values.kind];
if (!make) throw new Error(`--kind is one of ${Object.keys(kinds).join(', ')}`);
const kind = make({ account, directory, option });

let misbehaviours: readonly Misbehaviour[] = [];
let lift: () => void = () => {};
let lifted: Promise<void> = Promise.resolve();

function command(list: readonly Misbehaviour[]): void {
  lift();
  misbehaviours = list;
  lifted = new Promise((resolve) => {
    lift = resolve;
  });
}

/** Does what a well-behaved plugin does, and answers as it does. */
function perform(method: string, body: string): Answer {
  if (method === 'Plugin.Activate') return { status: 200, text: JSON.stringify({ Implements: [kind.capability] }) };
  const handler = kind.methods[method];
  if (!handler) return { status: 404, text: 'not found' };
  try {
    return { status: 200, text: JSON.stringify(handler(JSON.parse(body || '{}') as Record<string, unknown>)) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { status: 500, text: JSON.stringify({ [kind.errorKey]: message }) };
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const method = (request.url ?? '').slice(1);
  const body = await textOf(request);
  const rule = misbehaviours.find((one) => one.method === '*' || one.method === method);
  const takeBack = kind.allocates?.[method];
  const answer = (): Answer => {
    const said = perform(method, body);
    if (takeBack && said.status === 200) {
      const [allocated, asked] = [said.text, body].map((text) => JSON.parse(text) as Record<string, unknown>);
      response.once('close', () => {
        if (!response.writableFinished && allocated && asked) takeBack(allocated, asked);
      });
    }
    return said;
  };
  if (!rule) {
    send(response, answer());
    return;
  }
  const done = rule.performs && !takeBack ? perform(method, body) : undefined;
  await misbehave(rule.manner, { request, response }, () => done ?? answer(), lifted);
}

async function obey(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await textOf(request);
  if (request.url === '/misbehaviour') command(JSON.parse(body) as Misbehaviour[]);
  else if (request.url === '/forgotten') for (const key of JSON.parse(body) as string[]) account.end(key);
  else if (request.url !== '/account') {
    send(response, { status: 404, text: `no such command: ${request.url}` });
    return;
  }
  send(response, { status: 200, text: JSON.stringify({ open: account.open, problems: account.problems }) });
}

function listen(path: string, handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>): void {
  if (existsSync(path)) rmSync(path);
  const server = createServer((request, response) => {
    // A client that went away in the middle of its request gets no answer.
    handler(request, response).catch(() => response.destroy());
  });
  server.listen(path);
}

listen(join(directory, 'control'), obey);
listen(socket, serve);
