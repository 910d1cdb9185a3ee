import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, differences } from './side-by-side/compare.js';
import { explained, explainedOfNewer } from './side-by-side/explained.js';
import { type Asked, reads, setUp, writes } from './side-by-side/requests.js';
import { hungry, overWebSocket, type Teller } from './side-by-side/stories.js';
import { busyboxTar } from './support/busybox.js';
import { type Engine, startEngine } from './support/engine.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';

/**
 * The same requests to a stock dockerd and to Cleat. Every difference in status, headers, the body's shape and the words
 * of errors is reported, unless `side-by-side/explained.ts` says why it is on purpose; an explanation that explains
 * nothing is reported, too.
 */
const oldVersions = ['1.24', '1.30', '1.40'];
let cleat: Engine;
let stock: StockDockerd;
beforeAll(async () => {
  if (!stockDockerdInstalled) return;
  cleat = await startEngine();
  stock = await StockDockerd.start();
  const { code, stderr } = await cleat.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
  if (code !== 0) throw new Error(`importing busybox failed: ${stderr}`);
});
afterAll(async () => {
  await stock?.[Symbol.asyncDispose]();
  await cleat?.[Symbol.asyncDispose]();
});

function ask(socketPath: string, { method, path, body, raw }: Asked, version: string): Promise<Answer> {
  const text = raw?.text ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = raw ? raw.type : text === undefined ? undefined : 'application/json';
  const headers = {
    ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }),
    ...(type !== undefined && { 'content-type': type }),
    connection: 'close',
  };
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath, method, path: `/v${version}${path}`, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.setTimeout(60_000, () =>
      outgoing.destroy(new Error(`${method} ${path} ${text ?? ''} is not answered at ${socketPath}`)),
    );
    outgoing.on('error', reject).end(text);
  });
}

/** The newest version that both know: Cleat knows newer ones than any engine that is installed. */
async function newestOfStock(): Promise<string> {
  const { body } = await ask(stock.socket, { method: 'GET', path: '/version' }, '1.40');
  return (JSON.parse(body) as { ApiVersion: string }).ApiVersion;
}

async function both(asked: Asked, version: string): Promise<{ stock: Answer; cleat: Answer }> {
  const [one, other] = await Promise.all([ask(stock.socket, asked, version), ask(cleat.socket, asked, version)]);
  return { stock: one, cleat: other };
}

test.skipIf(!stockDockerdInstalled)(
  'several hundred requests have the same answers, or it is said why not',
  async () => {
    const newest = await newestOfStock();
    for (const asked of setUp) {
      const { stock: one, cleat: other } = await both(asked, newest);
      expect({ asked, one: one.status, other: other.status }).toEqual({ asked, one: one.status, other: one.status });
      expect(one.status).toBeLessThan(400);
    }
    const used = new Set<string>();
    const isNewer = newest !== '1.41';
    const reasons = isNewer ? [...explainedOfNewer, ...explained] : explained;
    const unexplained: string[] = [];
    let requests = 0;
    const look = async (asked: Asked, version: string) => {
      requests++;
      const answers = await both(asked, version);
      const request = `${asked.method} /v${version}${decodeURIComponent(asked.path)}${asked.body ? ` ${JSON.stringify(asked.body)}` : ''}`;
      for (const difference of differences(answers.stock, answers.cleat)) {
        const line = `${request}: ${difference}`;
        const reason = reasons.find(({ is }) => is.test(line));
        if (reason) used.add(reason.why);
        else unexplained.push(line);
      }
    };
    for (const version of [...oldVersions, newest]) for (const asked of reads) await look(asked, version);
    for (const asked of writes) await look(asked, newest);
    expect(requests).toBeGreaterThan(400);
    expect(unexplained).toEqual([]);
    // A newer engine needs fewer of them.
    if (!isNewer) expect(explained.filter(({ why }) => !used.has(why))).toEqual([]);
  },
);

test.skipIf(!stockDockerdInstalled)('memory that is gone, and attachments by WebSocket, are told alike', async () => {
  const newest = await newestOfStock();
  for (const version of ['1.24', newest]) {
    const told = async (socket: string) => {
      const teller: Teller = (method, path, body) => ask(socket, { method, path, body }, version);
      return { hungry: await hungry(teller, `hungry-${version}`), web: await overWebSocket(teller, socket, version) };
    };
    const [one, other] = await Promise.all([told(stock.socket), told(cleat.socket)]);
    expect({ version, ...other }).toEqual({ version, ...one });
    expect(one.hungry).toMatchObject({ code: 137, state: ['exited', true, 137, ''] });
  }
});
