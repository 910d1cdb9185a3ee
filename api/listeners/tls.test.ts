import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { expect, it } from 'vitest';
import { echoSession, startApi, talk } from '../testing/fakes.js';

it('hijacks over TLS, half-close included, for clients with a certificate only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cleat-tls-'));
  try {
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'.split(
      ' ',
    );
    execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const pem = { cert: readFileSync(cert), key: readFileSync(key) };
    await using server = await startApi({ containers: { attach: async () => echoSession(true) } });
    const [listener] = await server.api.listen('tcp://127.0.0.1:0', { tls: { ...pem, ca: pem.cert } });
    const port = Number(listener?.address.split(':').at(-1));
    const dial = (own: object) =>
      connect({
        port,
        host: '127.0.0.1',
        ca: pem.cert,
        servername: 'localhost',
        allowHalfOpen: true,
        ...own,
      } as ConnectionOptions);
    const request =
      'POST /containers/c/attach?stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
    const answer = await talk(dial(pem), `${request}POST / HTTP/1.1`, { end: true });
    expect(answer).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(answer.endsWith('\r\n\r\nPOST / HTTP/1.1bye')).toBe(true);
    await expect(talk(dial({}), request)).rejects.toThrow();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
