import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { silentLogger } from '@cleat/protocol/log';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiRoutes } from '../../api/routes.js';
import { fakeServices } from '../../api/testing/fakes.js';
import { type Engine, startEngine } from './support/engine.js';
import { type FuzzRequest, requestOf } from './support/fuzz/requests.js';
import { type Said, talk } from './support/fuzz/talk.js';
import { descriptorsOf, growthDuring, identityOf, unexpectedIn } from './support/same-process.js';

/**
 * Requests that are made of the API's own routes and schemas, with odd values in them, for a bounded time. Always the
 * same ones in the same order; CLEAT_FUZZ_SEED makes others of them, and CLEAT_FUZZ_SECONDS more:
 *
 *     CLEAT_FUZZ_SEED=$RANDOM CLEAT_FUZZ_SECONDS=3600 npx vitest run --project e2e test/e2e/fuzz
 */
const seed = Number(process.env.CLEAT_FUZZ_SEED ?? 1);
const seconds = Number(process.env.CLEAT_FUZZ_SECONDS ?? 20);
/** Nothing that is asked here takes long; a busy machine does. */
const deadlineMs = 60_000;
const mebibyte = 1024 * 1024;

let engine: Engine;
beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  // A mount may ask for its source to be made on the host.
  rmSync('/tmp/in', { recursive: true, force: true });
});

const post = (path: string, body?: object) => engine.api('POST', path, body);

/** Makes the objects that requests are about, or starts them, where an earlier request took or stopped them. */
async function prepare(): Promise<void> {
  const container = { Image: 'busybox', Cmd: ['sleep', '1000000'], HostConfig: { Memory: 64 * mebibyte } };
  if ((await post('/containers/pipe/unpause')).status === 404) await post('/containers/create?name=pipe', container);
  await post('/containers/pipe/start');
  await post('/containers/create?name=over', { ...container, Cmd: ['true'] });
  await post('/networks/create', { Name: 'net' });
  await post('/volumes/create', { Name: 'vol' });
}

const base = { Image: 'busybox', Cmd: ['true'] };

/** A create request that is refused shows little: most ask for the image that there is, and are started. */
function bodyOf({ path, body }: FuzzRequest): string | undefined {
  if (path !== '/containers/create' || !body?.startsWith('{')) return body;
  const rest = body === '{}' ? '}' : `,${body.slice(1)}`;
  return JSON.stringify(base).slice(0, -1) + rest;
}

function bytesOf(request: FuzzRequest): string {
  const body = bodyOf(request);
  const bytes = body === undefined ? '' : Buffer.from(body).toString('latin1');
  const length = body === undefined ? [] : [`Content-Length: ${bytes.length}`];
  return `${[`${request.method} ${request.target} HTTP/1.1`, 'Host: x', ...request.headers, ...length].join('\r\n')}\r\n\r\n${bytes}`;
}

/** Words of Node's, or of its inside, that no client should read. */
const foreignWords =
  /\bat .*\.[jt]s:\d|TypeError|RangeError|SyntaxError|ERR_[A-Z]|Cannot (read|mix|convert)|is not a function|is not iterable|must be of type|\bE[A-Z]{4,}: |JSON at position|Unexpected token|Invalid string length|\[object |undefined/;

/** Failures that Docker, too, calls its own: a registry that is not there, a driver or a runtime that refuses. */
const explained =
  /dial tcp|tls: |registry|no such host|OCI runtime|failed to create task|runc|crun|could not be found|error looking up|not found|no such|could not be recognized as URL|Cannot locate specified/i;

function complaintOf(
  { status, type, body, whole }: Said,
  { endless, method, target }: FuzzRequest,
): string | undefined {
  if (!whole) return endless ? undefined : `was not answered within ${deadlineMs} ms`;
  if (status === 0) return endless ? undefined : 'was not answered at all';
  if (status < 400) return undefined;
  if (status === 500 && !explained.test(body)) return 'is a failure that nothing explains';
  if (foreignWords.test(body)) return 'is told in words that are not the engine’s';
  if (method === 'HEAD') return undefined;
  // Before 1.24 errors were plain text.
  if (/^\/v(1\.20|0)\//.test(target)) return undefined;
  if (!type.startsWith('application/json')) return `is told as ${type}`;
  const told = JSON.parse(body) as { message?: unknown };
  return typeof told.message === 'string' && told.message !== '' ? undefined : 'has no message';
}

async function perform(request: FuzzRequest): Promise<string[]> {
  const sent = bytesOf(request);
  const said = await talk(engine.socket, sent, request.endless ? 300 : deadlineMs);
  const complaints = [complaintOf(said, request)].filter((text) => text !== undefined);
  if (said.status === 201 && request.path === '/containers/create') {
    const { Id } = JSON.parse(said.body) as { Id: string };
    for (const step of [
      `POST /containers/${Id}/start`,
      `GET /containers/${Id}/json`,
      `DELETE /containers/${Id}?force=1&v=1`,
    ]) {
      const answer = await talk(engine.socket, `${step} HTTP/1.1\r\nHost: x\r\n\r\n`, deadlineMs);
      const complaint = complaintOf(answer, { ...request, endless: false });
      if (complaint)
        complaints.push(`${step.replace(Id, 'it')} ${complaint}: ${answer.status} ${answer.body.slice(0, 400)}`);
    }
  }
  return complaints.map((text) => `${sent.slice(0, 1500)}\n→ ${said.status} ${said.body.slice(0, 400)}\n${text}`);
}

/** Counts the mounts and links that containers hold on the host. */
function held(): { mounts: number; links: number } {
  const lines = (text: string, part: string) => text.split('\n').filter((line) => line.includes(part)).length;
  return {
    mounts: lines(readFileSync('/proc/self/mountinfo', 'utf8'), engine.directory),
    links: lines(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }), `master ${engine.bridge} `),
  };
}

async function clear(): Promise<void> {
  await post('/containers/pipe/unpause');
  for (const { Id } of JSON.parse((await engine.api('GET', '/containers/json?all=1')).body) as { Id: string }[]) {
    await engine.api('DELETE', `/containers/${Id}?force=1&v=1`);
  }
  await post('/networks/prune');
  await post('/volumes/prune?filters={"all":["1"]}');
}

const requests = fc.oneof(
  ...apiRoutes(fakeServices({}), { log: silentLogger, version: '' }).map((route) => ({
    weight: route.path === '/containers/create' ? 40 : route.body ? 4 : 1,
    arbitrary: requestOf(route),
  })),
);

test(
  `odd requests of every kind are answered as they should be, CLEAT_FUZZ_SEED=${seed}`,
  async () => {
    await prepare();
    await clear();
    const identity = identityOf(engine.pid);
    const before = { ...held(), descriptors: descriptorsOf(engine.pid) };
    let count = 0;
    const growth = await growthDuring(engine.pid, async () => {
      const batches = fc.asyncProperty(fc.array(requests, { minLength: 12, maxLength: 12 }), async (batch) => {
        await prepare();
        const complaints = (await Promise.all(batch.map(perform))).flat();
        count += batch.length;
        expect(complaints).toEqual([]);
        expect(unexpectedIn(engine)).toEqual([]);
        expect(identityOf(engine.pid)).toBe(identity);
      });
      // So many on any machine, and then as many others as it makes in that time.
      await fc.assert(batches, { seed, numRuns: 10, endOnFailure: true });
      const timed = { numRuns: 1_000_000, interruptAfterTimeLimit: seconds * 1000 };
      await fc.assert(batches, { seed: seed + 1, ...timed, endOnFailure: true });
    });
    expect(count).toBeGreaterThan(100);
    expect(growth).toBeLessThan(192 * mebibyte);
    await clear();
    expect(JSON.parse((await engine.api('GET', '/containers/json?all=1')).body)).toEqual([]);
    expect(held()).toEqual({ mounts: before.mounts, links: before.links });
    await expect.poll(() => descriptorsOf(engine.pid)).toBeLessThan(before.descriptors + 8);
  },
  seconds * 1000 + 240_000,
);
