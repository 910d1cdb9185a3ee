import { request } from 'node:http';
import { expect, test } from 'vitest';
import type { ApiServices } from '../services.js';
import { startApi } from '../testing/fakes.js';

test('attestations that an index has are not said to be none', async () => {
  const attestation = (For: string) => ({ ID: 'sha256:att', Kind: 'attestation', AttestationData: { For } });
  const image = (name: string) => ({
    ...{ Os: 'linux', Architecture: 'amd64', Descriptor: { digest: 'sha256:own' } },
    Manifests: [{ Kind: 'image' }, attestation(name === 'attested' ? 'sha256:own' : 'sha256:other')],
  });
  const images = { inspect: async (name: string) => image(name) };
  await using api = await startApi({ images } as unknown as Partial<ApiServices>);
  const ask = (name: string) =>
    new Promise<[status: number, body: string]>((resolve, reject) => {
      const sent = request({ socketPath: api.socketPath, path: `/images/${name}/attestations` }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (part: string) => (body += part));
        answer.on('end', () => resolve([answer.statusCode ?? 0, body.trim()]));
      });
      sent.on('error', reject).end();
    });
  expect(await ask('plain')).toEqual([200, '[]']);
  expect(await ask('attested')).toEqual([404, expect.stringContaining('sha256:att is not available locally')]);
});
