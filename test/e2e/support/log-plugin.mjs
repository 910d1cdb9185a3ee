#!/usr/bin/env node
/**
 * A log plugin as a third party would write it with the SDK: one file per container, a line each. For tests it can be
 * slow (`--slow-ms N` for each piece that it reads), can be read (`--reads yes`), and can break off while it is read
 * (`--reads half`).
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { encodeLogEntry } from '@cleat/protocol/log-entry';
import { defineExtension, implement, logKind, run } from '@cleat/sdk';
import { attributeOptions, checkNames, entrySink, LogDriver } from '@cleat/sdk/logs';
import { nanosOf } from '@cleat/sdk/logs/time';

function destination(directory, slowMs) {
  return {
    options(info) {
      checkNames(info, [...attributeOptions, 'colour'], (name) => `the plugin has no option ${name}`);
      return { path: join(directory, info.ContainerID) };
    },
    open: ({ path }) =>
      entrySink(async (entries) => {
        const lines = entries.map(({ source, timeNano, line }) => `${source} ${timeNano} ${Buffer.from(line)}\n`);
        appendFileSync(path, lines.join(''));
        if (slowMs > 0) await pause(slowMs);
      }),
  };
}

/** Marks what it answers, so that a test can tell who did. */
async function* read(path, { Since, Until, Tail = -1, Follow }, { signal, isWritten }, breaks) {
  const [since, until] = [Since, Until].map((text) => (text.startsWith('0001-') ? undefined : nanosOf(text)));
  const lines = () => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []);
  const entry = (text) => {
    const [, source, time, line] = /^(\S+) (\d+) (.*)$/s.exec(text);
    return { source, timeNano: BigInt(time), line: Buffer.from(`kept ${line}\n`), partial: false };
  };
  const wanted = ({ timeNano }) =>
    (since === undefined || timeNano >= since) && (until === undefined || timeNano <= until);
  const all = lines();
  const entries = all.map(entry).filter(wanted);
  const shown = Tail < 0 ? entries : entries.slice(entries.length - Math.min(Tail, entries.length));
  const bytes = Buffer.concat(shown.map(encodeLogEntry));
  if (breaks) {
    yield bytes.subarray(0, bytes.length - 3);
    await pause(100);
    throw new Error('the disk is on fire');
  }
  yield bytes;
  for (let done = all.length, more = Follow; more && !signal.aborted; ) {
    // Read once more: lines may have come before the container's end.
    more = isWritten();
    const fresh = lines().slice(done);
    done += fresh.length;
    if (fresh.length > 0) yield Buffer.concat(fresh.map(entry).map(encodeLogEntry));
    await pause(50);
  }
}

await run(
  defineExtension({
    start({ options: { directory, 'slow-ms': slow = '0', reads = 'no' }, log }) {
      const driver = new LogDriver({
        destination: destination(directory, Number(slow)),
        ...(reads !== 'no' && {
          read: ({ path }, config, following) => read(path, config, following, reads === 'half'),
          isSame: (one, other) => one.path === other.path,
        }),
        log,
      });
      return { implementations: [implement(logKind, driver.handlers)], close: () => driver.close() };
    },
  }),
  { name: 'log-plugin' },
);
