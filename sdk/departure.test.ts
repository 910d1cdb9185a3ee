import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { silentLogger } from '@cleat/protocol/log';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Departure } from './departure.js';
import { defineExtension, implement, secretKind, serve } from './index.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-sdk-');
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a late caller is told, too, and always by the same signal', () => {
  const before = new Departure();
  const { signal } = before;
  before.abort();
  expect(signal.aborted).toBe(true);
  const after = new Departure();
  after.abort();
  expect(after.signal.aborted).toBe(true);
  expect(after.signal).toBe(after.signal);
});

test('a caller that leaves in the middle of its request keeps nobody waiting', async () => {
  const socket = join(directory, 'x.sock');
  const warned: string[] = [];
  const extension = defineExtension({
    start: () => ({ implementations: [implement(secretKind, { GetSecret: () => ({ Value: '' }) })] }),
  });
  const log = { ...silentLogger, warn: (text: string) => void warned.push(text) };
  const served = await serve(extension, { name: 'x', socket, log });
  const caller = connect(socket, () => {
    caller.write('POST /secretprovider.GetSecret HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"SecretName":', () =>
      caller.destroy(),
    );
  });
  await expect.poll(() => warned).toEqual(['a call could not be answered']);
  await served.close();
});
