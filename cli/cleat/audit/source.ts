import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { readAudit } from '@cleat/engine/audit/read';
import type { AuditQuery } from '@cleat/engine/audit/service';
import type { AuditRecord } from '@cleat/protocol/audit';
import { messageOf, notFound, unavailable } from '@cleat/protocol/errors';
import { open, read } from '../engine/ask.js';
import type { Endpoint } from '../engine/endpoint.js';

/** How often files are looked at that are followed. */
const lookMs = 500;
const maxError = 64 * 1024;

/** Reads the files of an engine, which need not run. @throws NotFound where there are none */
export function fromFiles(directory: string, query: AuditQuery): AsyncIterable<AuditRecord> {
  if (!existsSync(directory)) throw notFound(`there is no audit journal: ${directory} does not exist`);
  return readAudit(directory, query, () => sleep(lookMs), new AbortController().signal);
}

/** Asks a running engine. @throws Unavailable, InvalidParameter */
export async function* fromEngine(endpoint: Endpoint, query: AuditQuery): AsyncGenerator<AuditRecord> {
  const { sent, failure } = open(endpoint, `/cleat/audit${queryText(query)}`, {});
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('error', async (error) => {
      reject((await failure?.()) ?? unavailable(`no engine answers on ${endpoint.text} (${messageOf(error)})`));
    });
    sent.end();
  });
  if (response.statusCode !== 200) {
    let text = '';
    for await (const chunk of response) if (text.length < maxError) text += String(chunk);
    read(endpoint.text, response.statusCode ?? 0, text);
  }
  try {
    for await (const line of createInterface({ input: response }))
      if (line !== '') yield JSON.parse(line) as AuditRecord;
  } finally {
    sent.destroy();
  }
}

function queryText(query: AuditQuery): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    given.set(name, name === 'since' || name === 'until' ? seconds(Number(value)) : String(value));
  }
  return given.size === 0 ? '' : `?${given}`;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);
