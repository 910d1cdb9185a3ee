import { Semaphore } from '@cleat/protocol/async/semaphore';
import { expect, test } from 'vitest';
import type { Lease, StoredBlob } from '../../content/service.js';
import type { LayerRecord, Layers } from '../../layers/service.js';
import { ArrivingLayer } from './arriving-layer.js';

const blob: StoredBlob = { digest: `sha256:${'a'.repeat(64)}`, size: 2 * 1024 * 1024 };
const large = { ...blob, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' };
const record = { diffId: 'sha256:b' } as LayerRecord;
const lease = {} as Lease;

/** Layers that keep a list of all that happens to them. */
function arrangement(finish: () => Promise<LayerRecord>) {
  const done: string[] = [];
  const layers = {
    begin: (path: string) => {
      done.push(`begun ${path}`);
      return { grew: () => void done.push('grew'), finish, abandon: async () => void done.push('abandoned') };
    },
  } as unknown as Layers;
  const arrivals = new Semaphore(1);
  return { done, arrivals, layers };
}

const quiet = new AbortController().signal;

test('a large layer is unpacked while it comes, and the next one has its turn after it', async () => {
  const context = arrangement(async () => record);
  const first = new ArrivingLayer(context, large, quiet);
  first.onFile('/tmp/a');
  const second = new ArrivingLayer(context, large, quiet);
  second.onFile('/tmp/b');
  second.grew();
  first.grew();
  expect(await first.finish(blob, lease)).toBe(record);
  expect(await second.finish(blob, lease), 'unpacked once it is whole').toBeUndefined();
  await Promise.all([first.abandon(), second.abandon()]);
  expect(context.done).toEqual(['begun /tmp/a', 'grew']);
  expect(context.arrivals.isBusy).toBe(false);
});

test('a layer that is cut, fails or is small is unpacked as any other', async () => {
  const context = arrangement(() => Promise.reject(new Error('no such file')));
  const small = new ArrivingLayer(context, { ...large, size: 10 }, quiet);
  small.onFile('/tmp/small');
  expect(await small.finish(blob, lease)).toBeUndefined();
  const cut = new ArrivingLayer(context, large, quiet);
  cut.onFile('/tmp/cut');
  cut.onAnew();
  cut.grew();
  expect(await cut.finish(blob, lease)).toBeUndefined();
  await cut.abandon();
  expect(context.done).toEqual(['begun /tmp/cut', 'abandoned']);
  const failing = new ArrivingLayer(context, large, quiet);
  failing.onFile('/tmp/failing');
  expect(await failing.finish(blob, lease)).toBeUndefined();
  const unwanted = new ArrivingLayer(context, large, quiet);
  unwanted.onFile('/tmp/unwanted');
  await unwanted.abandon();
  expect(context.done.slice(2)).toEqual(['begun /tmp/failing', 'begun /tmp/unwanted', 'abandoned']);
  await new Promise(setImmediate);
  expect(context.arrivals.isBusy).toBe(false);
});
