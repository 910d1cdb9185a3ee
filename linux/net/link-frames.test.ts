import { randomBytes } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../process/run.js';
import { errnoOf } from '../syscall/errno.js';
import { LinkFrames } from './link-frames.js';

/** Two ends of a cable. */
async function cable(): Promise<[string, string]> {
  const name = randomBytes(4).toString('hex');
  const [near, far] = [`fa${name}`, `fb${name}`];
  const ip = async (...args: string[]) => expect(await run('ip', args)).toMatchObject({ code: 0 });
  await ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
  onTestFinished(async () => void (await run('ip', ['link', 'delete', near])));
  for (const link of [near, far]) await ip('link', 'set', 'dev', link, 'addrgenmode', 'none', 'up');
  return [near, far];
}

/** Addresses, then an IPv4 header with `words` of options, and UDP's. */
function packet({ port = 68, protocol = 17, fragment = 0, words = 0, type = 0x0800 }): Buffer {
  const frame = Buffer.alloc(80, 0xff);
  frame.writeUInt16BE(type, 12);
  frame.writeUInt8(0x45 + words, 14);
  frame.writeUInt16BE(fragment, 20);
  frame.writeUInt8(protocol, 23);
  frame.writeUInt16BE(port, 14 + 20 + 4 * words + 2);
  return frame;
}

test('frames of one port come in, and nothing else', async () => {
  const [near, far] = await cable();
  const seen: Buffer[] = [];
  const own: Buffer[] = [];
  const left = new LinkFrames(near, 68, { onFrame: (frame) => own.push(frame), onEnd() {} });
  const right = new LinkFrames(far, 68, { onFrame: (frame) => seen.push(frame), onEnd() {} });
  onTestFinished(() => {
    left.close();
    right.close();
  });
  const others = [{ port: 67 }, { protocol: 6 }, { fragment: 0x2000 }, { fragment: 3 }, { type: 0x86dd }];
  for (const other of others) left.send(packet(other));
  const last = packet({ words: 2 });
  left.send(packet({}));
  left.send(last);
  await expect.poll(() => seen.length).toBe(2);
  expect(seen).toEqual([packet({}), last]);
  // A sender does not get its own.
  expect(own).toEqual([]);
});

test('a link that goes ends it once; one that is not there, or is no Ethernet, is refused', async () => {
  const [near] = await cable();
  let ends = 0;
  const frames = new LinkFrames(near, 68, { onFrame() {}, onEnd: () => ends++ });
  await run('ip', ['link', 'delete', near]);
  await expect.poll(() => ends).toBe(1);
  expect(() => frames.send(packet({}))).toThrow('bad file descriptor');
  frames.close();
  const open = (link: string) => () => new LinkFrames(link, 68, { onFrame() {}, onEnd() {} });
  let refused: unknown;
  try {
    open(near)();
  } catch (error) {
    refused = error;
  }
  expect(errnoOf(refused)).toBe('ENODEV');
  expect(open('lo')).toThrow('lo is no Ethernet link');
});
