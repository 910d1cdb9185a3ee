import { spawn, spawnSync } from 'node:child_process';
import type { ContainerInspect } from '@cleat/protocol/api/container';
import { describe, expect, it } from 'vitest';
import { echoSession, startApi, type TestApi } from './testing/fakes.js';

const clients = ['/usr/bin/docker', '/usr/local/bin/docker'].filter(
  (path) => spawnSync(path, ['--version']).status === 0,
);

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

function docker(client: string, server: TestApi, args: string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(client, ['-H', `unix://${server.socketPath}`, ...args], {
      env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', DOCKER_CONFIG: '/nonexistent' },
    });
    const outcome = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (data) => {
      outcome.stdout += String(data);
    });
    child.stderr.on('data', (data) => {
      outcome.stderr += String(data);
    });
    child.on('close', (code) => resolve({ ...outcome, code }));
    child.stdin.end(input);
  });
}

const running = (Id: string) =>
  ({
    Id,
    Name: '/c',
    Created: '2025-11-22T02:53:20Z',
    State: { Status: 'running', Running: true, ExitCode: 0 },
    Config: { Tty: false, OpenStdin: true },
    HostConfig: { NetworkMode: 'bridge' },
    NetworkSettings: { Networks: {} },
  }) as unknown as ContainerInspect;

describe.each(clients)('%s', (client) => {
  it('says versions', async () => {
    await using server = await startApi({
      system: {
        version: () => ({
          Version: '1.2.3',
          Platform: { Name: 'Cleat' },
          Components: [],
          GitCommit: 'abc',
          Os: 'linux',
          Arch: 'amd64',
          KernelVersion: '6',
          BuildTime: '',
          Experimental: false,
        }),
      },
    });
    const outcome = await docker(client, server, ['version', '-f', '{{.Server.Version}} {{.Server.MinAPIVersion}}']);
    expect(outcome).toEqual({ code: 0, stdout: '1.2.3 1.20\n', stderr: '' });
  });

  it('runs, feeds, sees the end of the input pass, and takes the exit code', async () => {
    const id = 'a'.repeat(64);
    const session = echoSession(false);
    let exited: () => void = () => {};
    const exit = new Promise<void>((resolve) => {
      exited = resolve;
    });
    const endInput = session.endInput?.bind(session);
    session.endInput = async () => {
      await endInput?.();
      exited();
    };
    await using server = await startApi({
      containers: {
        create: async () => ({ Id: id, Warnings: [] }),
        attach: async () => session,
        start: async () => {},
        inspect: async () => running(id),
        wait: () => ({ result: exit.then(() => ({ StatusCode: 7 })) }),
      },
    });
    const outcome = await docker(client, server, ['run', '-i', 'busybox', 'cat'], 'hello ');
    expect(outcome).toEqual({ code: 7, stdout: 'hello bye', stderr: '' });
  });

  it('executes', async () => {
    await using server = await startApi({
      containers: { inspect: async () => running('c') },
      execs: {
        create: async () => ({ Id: 'e1' }),
        start: async (_id, _request, begin) => {
          await begin?.(false);
          return echoSession(false);
        },
        inspect: async () => ({
          ID: 'e1',
          Running: false,
          ExitCode: 3,
          ProcessConfig: { tty: false, entrypoint: 'cat', arguments: [], privileged: false },
          OpenStdin: true,
          OpenStderr: true,
          OpenStdout: true,
          CanRemove: false,
          ContainerID: 'c',
          DetachKeys: '',
          Pid: 0,
        }),
      },
    });
    const outcome = await docker(client, server, ['exec', '-i', 'c', 'cat'], 'hello ');
    expect(outcome).toEqual({ code: 3, stdout: 'hello bye', stderr: '' });
  });

  it('is told what is wrong', async () => {
    await using server = await startApi({});
    const outcome = await docker(client, server, ['node', 'ls']);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('Error response from daemon: This node is not a swarm manager.');
  });
});
