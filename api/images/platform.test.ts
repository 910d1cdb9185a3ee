import { expect, test } from 'vitest';
import { startApi, talk } from '../testing/fakes.js';

const json = (value: object) => encodeURIComponent(JSON.stringify(value));
const s390x = { os: 'linux', architecture: 's390x' };

test('the platform that a client selects reaches the engine, on each route', async () => {
  const asked: [string, unknown][] = [];
  const note = (what: string, platform: unknown): never => {
    asked.push([what, platform]);
    throw new Error('enough');
  };
  await using server = await startApi({
    images: {
      inspect: async (_ref, platform) => note('inspect', platform),
      history: async (_ref, platform) => note('history', platform),
      remove: async (_ref, options) => note('remove', options.platforms),
      save: async (_refs, platforms) => note('save', platforms),
      load: (_archive, { platforms }) => note('load', platforms),
      push: ({ platform }) => note('push', platform),
    },
  });
  const request = async (line: string) =>
    await talk(server.connect(), `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  await request(`GET /images/x/json?platform=${json(s390x)}`);
  await request(`GET /images/x/history?platform=${json(s390x)}`);
  await request(`DELETE /images/x?platforms=${json(s390x)}`);
  // A selector is never passed over, however old the client says that it is.
  await request(`DELETE /images/x?platform=${json(s390x)}`);
  await request(`DELETE /v1.41/images/x?platforms=${json(s390x)}`);
  await request(`GET /images/x/get?platform=${json(s390x)}`);
  await request(`GET /images/get?names=x&platform=${json(s390x)}`);
  await request(`POST /images/load?platform=${json(s390x)}`);
  await request(`POST /images/x/push?platform=${json(s390x)}`);
  await request('POST /v1.45/images/x/push?platform=anything');
  await request(`GET /v1.52/images/get?names=x&platform=${json(s390x)}&platform=${json(s390x)}`);
  expect(asked).toEqual([
    ['inspect', s390x],
    ['history', s390x],
    ['remove', [s390x]],
    ['remove', [s390x]],
    ['remove', [s390x]],
    ['save', [s390x]],
    ['save', [s390x]],
    ['load', [s390x]],
    ['push', s390x],
    ['push', undefined],
    ['save', [s390x, s390x]],
  ]);

  for (const [line, message] of [
    ['GET /images/x/json?platform=linux', 'failed to parse platform: '],
    ['GET /images/x/history?platform={}', 'both OS and Architecture must be provided'],
    ['DELETE /images/x?platforms=', 'failed to parse platform: '],
    [
      `DELETE /images/x?platforms=${json({ variant: 'v7' })}`,
      'optional platform fields provided, but OS and Architecture are missing',
    ],
    [
      `GET /v1.51/images/get?names=x&platform=${json(s390x)}&platform=${json(s390x)}`,
      'multiple platform parameters are not supported in this API version',
    ],
    [
      `POST /v1.51/images/load?platform=${json(s390x)}&platform=${json(s390x)}`,
      'multiple platform parameters are not supported in this API version',
    ],
    [
      `GET /images/x/json?manifests=1&platform=${json(s390x)}`,
      'conflicting options: manifests and platform options cannot both be set',
    ],
  ] as const) {
    const answer = await request(line);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain(message);
  }
  expect(asked).toHaveLength(11);
});
