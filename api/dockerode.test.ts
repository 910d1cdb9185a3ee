import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { describe, expect, it } from 'vitest';
import { echoSession, startApi } from './testing/fakes.js';

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('dockerode', () => {
  it.each([true, false])('executes with hijack: %s', async (hijack) => {
    const session = echoSession(false);
    await using server = await startApi({
      execs: {
        create: async () => ({ Id: 'e1' }),
        start: async (_id, _request, begin) => {
          await begin?.(false);
          return session;
        },
      },
    });
    const docker = new Docker({ socketPath: server.socketPath });
    const exec = await docker.getContainer('c').exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack, stdin: hijack });
    const output = new PassThrough();
    docker.modem.demuxStream(stream, output, output);
    stream.on('end', () => output.end());
    if (hijack) {
      stream.write('hello ');
      stream.end();
    } else {
      // Without an upgrade there is no input: the process ends by itself.
      void session.endInput?.();
    }
    expect(await textOf(output)).toBe(hijack ? 'hello bye' : 'bye');
  });

  it('sees events and errors', async () => {
    await using server = await startApi({
      containers: {
        inspect: async () => {
          throw new Error('no');
        },
      },
      events: {
        subscribe: async function* () {
          yield [
            {
              Type: 'volume',
              Action: 'create',
              Actor: { ID: 'v', Attributes: {} },
              scope: 'local',
              time: 1,
              timeNano: 1n,
            },
          ];
        },
      },
    });
    const docker = new Docker({ socketPath: server.socketPath });
    await expect(docker.getContainer('x').inspect()).rejects.toMatchObject({
      statusCode: 500,
      json: { message: 'no' },
    });
    const events = await docker.getEvents();
    const [line] = await once(events, 'data');
    expect(JSON.parse(String(line))).toMatchObject({ Type: 'volume', timeNano: 1 });
  });
});
