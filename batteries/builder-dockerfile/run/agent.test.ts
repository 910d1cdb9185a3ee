import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { agentSocket } from './agent.js';

test('a socket of its own leads to the agent, with its own owner and mode, and goes', async () => {
  const directory = mkdtempSync('/tmp/cleat-agent-');
  const agent = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => {});
    client.on('data', (asked) => client.end(`answer to ${asked}`));
  });
  agent.listen(`${directory}/agent`);
  await once(agent, 'listening');
  try {
    {
      await using _ = await agentSocket(`${directory}/agent`, `${directory}/own`, { uid: 7, gid: 8, mode: 0o640 });
      const { uid, gid, mode } = statSync(`${directory}/own`);
      expect([uid, gid, mode & 0o777]).toEqual([7, 8, 0o640]);
      const client = connect(`${directory}/own`);
      client.write('question');
      expect(await text(client)).toBe('answer to question');
      // A connection that stays open does not keep the build from its end.
      await once(connect(`${directory}/own`), 'connect');
    }
    expect(existsSync(`${directory}/own`)).toBe(false);
  } finally {
    agent.close();
    rmSync(directory, { recursive: true });
  }
});

test('a container cannot open connections without end', async () => {
  const directory = mkdtempSync('/tmp/cleat-agent-');
  let opened = 0;
  const agent = createServer((client) => {
    opened++;
    client.on('error', () => {});
  });
  agent.listen(`${directory}/agent`);
  await once(agent, 'listening');
  try {
    await using _ = await agentSocket(`${directory}/agent`, `${directory}/own`, { uid: 0, gid: 0, mode: 0o600 });
    const clients = Array.from({ length: 80 }, () => connect(`${directory}/own`).on('error', () => {}));
    let refused = 0;
    for (const client of clients) client.on('close', () => refused++);
    await expect.poll(() => [opened, refused]).toEqual([64, 16]);
  } finally {
    agent.close();
    rmSync(directory, { recursive: true });
  }
});
