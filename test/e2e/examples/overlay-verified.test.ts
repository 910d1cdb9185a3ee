import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { shown, substitute } from '../support/documents.js';
import { runShell } from '../support/shell.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-overlay-verified-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** On a host of its own, as it were, which ends with the script: etcd, links, mounts. */
const alone = 'unshare --net --pid --fork --kill-child --propagation=slave --mount-proc bash -e';

test('both drivers of the overlay are what engines expect, each network with a subnet of its own', async () => {
  const url = 'http://127.0.0.1:2379';
  const cluster = { 'http://192.0.2.1:2379': url };
  const etcd = substitute(shown('examples/overlay/README.md', 'etcd --data-dir'), {
    ...cluster,
    '/srv/etcd': join(directory, 'etcd'),
    ' &': ` >${join(directory, 'etcd.log')} 2>&1 &`,
  });
  const verify = substitute(shown('examples/overlay/README.md', 'cleat verify'), {
    ...cluster,
    '192.0.2.11': '127.0.0.1',
    '/tmp/verified.sock': join(directory, 'span.sock'),
    '/tmp/verified': join(directory, 'root'),
    'cleat verify': 'cleat verify --strict',
  });
  const script = join(directory, 'script');
  const ready = `until curl -sf -o /dev/null ${url}/health; do sleep 0.1; done`;
  writeFileSync(script, ['ip link set lo up', etcd, ready, verify, ''].join('\n'));
  const printed = await runShell(`${alone} ${script}`, directory, { NO_COLOR: '1' }, 400_000);
  const skipped = [...printed.matchAll(/^skip {2}.*\[(.*)\]\r?\n +(.*?)\r?$/gm)].map(
    ([, id, reason]) => `${id}: ${reason}`,
  );
  expect(skipped.filter((one) => !one.includes('it does not declare'))).toEqual([
    expect.stringMatching(/^network\/any-subnet: .*create the network with --ipam-driver span/),
  ]);
  expect(printed).toMatch(/ 0 failed, 0 warned, /);
  expect(printed).not.toContain('left behind');
  expect(Number(/(\d+) passed, 0 failed/.exec(printed)?.[1])).toBeGreaterThan(75);
});
