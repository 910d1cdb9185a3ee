import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Firewall } from '@cleat/linux/firewall/firewall';
import { silentLogger } from '@cleat/protocol/log';
import { DurableMap } from '@cleat/sdk';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BridgeRules } from './rules.js';
import type { EndpointRecord, NetworkRecord } from './state.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-rules-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true, force: true });
});

test('rules that somebody flushes again and again are made anew less and less often, and the log says so', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const looked = vi.spyOn(Firewall.prototype, 'mend').mockResolvedValue(true);
  const warn = vi.fn();
  const networks = new DurableMap<NetworkRecord>(join(directory, 'networks'), silentLogger);
  const endpoints = new DurableMap<EndpointRecord>(join(directory, 'endpoints'), silentLogger);
  const rules = new BridgeRules(
    {
      engineId: `rules${randomBytes(3).toString('hex')}`,
      stateDir: directory,
      firewall: true,
      ipForward: true,
      directRouting: false,
      acceptMark: '',
      defaultDevice: 'cleat0',
      defaults: { icc: true, masquerade: true, hostIp: '0.0.0.0', mtu: 1500 },
    },
    networks,
    endpoints,
    { ...silentLogger, warn },
  );
  const [table] = rules.looks();
  const times: number[] = [];
  for (; now < 60_000; now += 400) {
    looked.mockClear();
    await table?.look();
    if (looked.mock.calls.length > 0) times.push(now);
  }
  const atOnce = Array.from({ length: 10 }, (_, at) => at * 400);
  expect(times).toEqual([...atOnce, 4_800, 6_800, 10_800, 18_800, 28_800, 38_800, 48_800, 58_800]);
  expect(warn).toHaveBeenCalledTimes(times.length);
  expect(warn.mock.lastCall).toMatchObject([
    /^rules of the firewall/,
    { nextTimeAfterSeconds: 10, suspect: expect.stringContaining('nft monitor') },
  ]);
  // A single flush an hour later is a new matter.
  now += 3_600_000;
  await table?.look();
  expect(warn.mock.lastCall).toEqual([expect.any(String), {}]);
  networks.close();
  endpoints.close();
});
