import { request } from 'node:http';
import type { DiskUsage } from '@cleat/engine/system/service';
import { expect, test } from 'vitest';
import { startApi } from '../testing/fakes.js';

const record = {
  ...{ ID: 'a', Type: 'regular', Description: 'RUN make', InUse: false, Shared: true, UsageCount: 1 },
  ...{ CreatedAt: '2026-11-29T00:00:00Z', LastUsedAt: null },
};

test('the build cache has the shape of each version', async () => {
  const usage: DiskUsage = {
    BuildCache: [
      { ...record, Size: 5, Parents: ['b'] },
      { ...record, ID: 'b', Size: 7 },
    ],
  };
  await using server = await startApi({ system: { diskUsage: async () => usage } });
  const asked = (version: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const path = `/v${version}/system/df`;
      const sent = request({ socketPath: server.socketPath, path }, async (answer) => {
        let text = '';
        for await (const chunk of answer.setEncoding('utf8')) text += chunk;
        resolve(JSON.parse(text) as Record<string, unknown>);
      });
      sent.on('error', reject).end();
    });
  expect(await asked('1.41')).toEqual({
    BuilderSize: 12,
    BuildCache: [
      { ...record, Size: 5, Parent: 'b' },
      { ...record, ID: 'b', Size: 7, Parent: '' },
    ],
  });
  expect(await asked('1.45')).toEqual(usage);
  expect(await asked('1.52')).toMatchObject({ BuildCacheUsage: { TotalCount: 2, TotalSize: 12 } });
});
